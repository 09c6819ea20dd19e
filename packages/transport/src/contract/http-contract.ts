import { defaultHttpBodyBytesMax } from "../http.js";
import type { Http, HttpRequest, HttpResponse } from "../http.js";
import { codeOf, type ContractHarness } from "./harness.js";

export interface HttpWorld {
  http: Http;
  /** Starts a server. */
  serve: (
    handler: (request: HttpRequest) => Promise<HttpResponse>,
  ) => Promise<{ origin: string; close(): Promise<void> }>;
  wait: <T>(promise: Promise<T>) => Promise<T>;
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Holds an {@link Http} to the interface. */
export function httpContract({ test, assert }: ContractHarness, name: string, open: () => Promise<HttpWorld>): void {
  test(`${name}: method, path as it stands, headers and body arrive, and so does the answer`, async () => {
    const { http, serve, wait } = await open();
    const seen: HttpRequest[] = [];
    const server = await serve(async (request) => {
      seen.push(request);
      return { status: 201, headers: { "x-answer": "yes" }, body: text("done") };
    });
    const path = "/things/a%2Fb/$aws/%c3%bc?x=1&y=a+b";
    const request = { method: "PUT", url: `${server.origin}${path}`, headers: { "x-ask": "1" }, body: text("body") };
    const response = await wait(http.request(request));
    assert.equal(response.status, 201);
    assert.equal(response.headers["x-answer"], "yes");
    assert.deepEqual(response.body, text("done"));
    assert.equal(seen[0]?.method, "PUT");
    assert.equal(seen[0]?.url, `${server.origin}${path}`);
    assert.equal(seen[0]?.headers?.["x-ask"], "1");
    assert.equal(`http://${seen[0]?.headers?.["host"]}`, server.origin);
    assert.deepEqual(seen[0]?.body, text("body"));
    await wait(server.close());
  });

  test(`${name}: a status is no error, and redirects are not followed`, async () => {
    const { http, serve, wait } = await open();
    for (const status of [204, 302, 404, 500]) {
      const server = await serve(async () => ({ status, headers: { location: "/" }, body: new Uint8Array(0) }));
      assert.equal((await wait(http.request({ method: "GET", url: server.origin }))).status, status);
      await wait(server.close());
    }
  });

  test(`${name}: a longer body than allowed is refused`, async () => {
    const { http, serve, wait } = await open();
    const server = await serve(async () => ({ status: 200, headers: {}, body: new Uint8Array(100_000) }));
    const request = { method: "GET", url: server.origin };
    assert.equal(await wait(codeOf(http.request(request, { bodyBytesMax: 99_999 }))), "LIMIT_EXCEEDED");
    assert.equal((await wait(http.request(request, { bodyBytesMax: 100_000 }))).body.length, 100_000);
    await wait(server.close());
  });

  test(`${name}: without an option a body has at most defaultHttpBodyBytesMax`, async () => {
    const { http, serve, wait } = await open();
    let more = 0;
    const body = new Uint8Array(defaultHttpBodyBytesMax + 1);
    const server = await serve(async () => ({
      status: 200,
      headers: {},
      body: body.subarray(0, defaultHttpBodyBytesMax + more),
    }));
    const request = { method: "GET", url: server.origin };
    assert.equal((await wait(http.request(request))).body.length, defaultHttpBodyBytesMax);
    more = 1;
    assert.equal(await wait(codeOf(http.request(request))), "LIMIT_EXCEEDED");
    await wait(server.close());
  });

  test(`${name}: a request that cannot be made says why`, async () => {
    const { http, serve, wait } = await open();
    const server = await serve(async () => ({ status: 200, headers: {}, body: new Uint8Array(0) }));
    const code = (url: string, signal?: AbortSignal): Promise<string> =>
      wait(codeOf(http.request({ method: "GET", url }, signal === undefined ? {} : { signal })));
    assert.equal(await code(server.origin, AbortSignal.abort()), "ABORTED");
    assert.equal(await code("ftp://x/"), "OPTION_INVALID");
    assert.equal(await code("no URL"), "OPTION_INVALID");
    assert.equal(await code("http://thingline.invalid/"), "HOST_NOT_FOUND");
    await wait(server.close());
    assert.equal(await code(server.origin), "CONNECTION_REFUSED");
  });

  test(`${name}: no answer ends with the time-out or with the signal`, async () => {
    const { http, serve, wait } = await open();
    const controller = new AbortController();
    const server = await serve(() => {
      controller.abort();
      return new Promise(() => undefined);
    });
    const request = { method: "GET", url: server.origin };
    assert.equal(await wait(codeOf(http.request(request, { timeoutMs: 20 }))), "TIMEOUT");
    const { signal } = new AbortController();
    assert.equal(await wait(codeOf(http.request(request, { timeoutMs: 20, signal }))), "TIMEOUT");
    const again = new AbortController();
    const pending = codeOf(http.request(request, { signal: again.signal }));
    again.abort();
    assert.equal(await wait(pending), "ABORTED");
    await wait(server.close());
  });
}
