// aedes in a process of its own, for `npm run bench -- broker`.
import { createServer, type AddressInfo } from "node:net";
import { Aedes } from "aedes";

const broker = await Aedes.createBroker({ queueLimit: 1_000_000 });
const server = createServer((socket) => {
  socket.setNoDelay(true);
  broker.handle(socket);
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once("SIGTERM", () => process.exit(0));
