// Buckets and objects as AWS's own client sees them, over real sockets.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Agent, request as httpsRequest } from "node:https";
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { connect, createServer, type AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { test, type TestContext } from "node:test";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { openWorld, type World } from "./cloud-world.test.support.js";

const credentials = { accessKeyId: "test", secretAccessKey: "test" };

function openS3(context: TestContext, { started }: World, options: S3ClientConfig = {}): S3Client {
  const s3 = new S3Client({
    ...{ endpoint: started.addresses.api, region: "us-east-1", credentials, forcePathStyle: true, maxAttempts: 1 },
    ...options,
  });
  context.after(() => s3.destroy());
  return s3;
}

async function openBucket(context: TestContext) {
  const world = await openWorld(context);
  const s3 = openS3(context, world);
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  return { world, s3 };
}

const isS3Error = (name: string, status: number) => (error: unknown) => {
  const { name: found, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
  assert.deepEqual([found, $metadata?.httpStatusCode], [name, status]);
  return true;
};

const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_none, at) => (at * 31 + seed * 7) & 0xff);

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** As a device fetches: over TLS, trusting the cloud's CA, with no certificate of its own. */
function fetchAsDevice(
  context: TestContext,
  { started }: World,
  url: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Answer> {
  const agent = new Agent({ ca: started.caPem });
  context.after(() => agent.destroy());
  return new Promise((resolve, reject) => {
    const sent = httpsRequest(url, { agent, headers, method }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("AWS's client puts, heads, gets, lists and deletes objects", async (context) => {
  const { s3 } = await openBucket(context);
  const content = bytesOf(100_000);
  const Metadata = { board: "nrf9160dk" };
  const object = { Bucket: "firmware", Key: "pump/app update ä+%.bin" };
  const put = await s3.send(
    new PutObjectCommand({ ...object, Body: content, ContentType: "application/x-firmware", Metadata }),
  );
  const etag = `"${createHash("md5").update(content).digest("hex")}"`;
  assert.equal(put.ETag, etag);
  assert.equal(put.VersionId, undefined);
  assert.ok(put.ChecksumCRC32);

  const head = await s3.send(new HeadObjectCommand(object));
  assert.deepEqual([head.ContentLength, head.ContentType, head.ETag], [content.length, "application/x-firmware", etag]);
  assert.deepEqual(head.Metadata, Metadata);
  const got = await s3.send(new GetObjectCommand(object));
  assert.deepEqual(await got.Body?.transformToByteArray(), content);
  assert.equal(got.ChecksumCRC32, put.ChecksumCRC32);

  const range = await s3.send(new GetObjectCommand({ ...object, Range: "bytes=99990-" }));
  assert.equal(range.ContentRange, "bytes 99990-99999/100000");
  assert.deepEqual(await range.Body?.transformToByteArray(), content.slice(99_990));
  const suffix = await s3.send(new GetObjectCommand({ ...object, Range: "bytes=-5" }));
  assert.deepEqual(await suffix.Body?.transformToByteArray(), content.slice(-5));
  await assert.rejects(
    s3.send(new GetObjectCommand({ ...object, Range: "bytes=100000-" })),
    isS3Error("InvalidRange", 416),
  );

  const listed = await s3.send(new ListObjectsV2Command({ Bucket: "firmware" }));
  assert.deepEqual(
    listed.Contents?.map(({ Key, Size, ETag }) => [Key, Size, ETag]),
    [[object.Key, content.length, etag]],
  );
  assert.deepEqual(
    (await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name),
    ["firmware"],
  );
  await s3.send(new DeleteObjectCommand(object));
  await s3.send(new DeleteObjectCommand(object));
  await assert.rejects(s3.send(new GetObjectCommand(object)), isS3Error("NoSuchKey", 404));
  await assert.rejects(s3.send(new HeadObjectCommand(object)), isS3Error("NotFound", 404));
  await s3.send(new DeleteBucketCommand({ Bucket: "firmware" }));
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: "firmware" })), isS3Error("NotFound", 404));
});

test("a stream of a known length is put in chunks with its checksum behind it", async (context) => {
  const { s3 } = await openBucket(context);
  const content = bytesOf(3_000_000, 3);
  const parts = [content.subarray(0, 1), content.subarray(1, 70_000), content.subarray(70_000)];
  for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA256"] as const) {
    const Body = Readable.from(parts);
    const put = await s3.send(
      new PutObjectCommand({ Bucket: "firmware", Key: "big", Body, ContentLength: content.length, ChecksumAlgorithm }),
    );
    assert.ok(put[`Checksum${ChecksumAlgorithm}`], ChecksumAlgorithm);
  }
  const got = await s3.send(new GetObjectCommand({ Bucket: "firmware", Key: "big" }));
  assert.deepEqual(Buffer.from((await got.Body?.transformToByteArray()) ?? []).compare(content), 0);
});

test("content that is not what was said of it is refused, and nothing of it is kept", async (context) => {
  const { s3, world } = await openBucket(context);
  const object = { Bucket: "firmware", Key: "app" };
  await s3.send(new PutObjectCommand({ ...object, Body: "before" }));
  const ContentMD5 = createHash("md5").update("other").digest("base64");
  await assert.rejects(
    s3.send(new PutObjectCommand({ ...object, Body: "after", ContentMD5 })),
    isS3Error("BadDigest", 400),
  );
  const ChecksumCRC32 = "AAAAAA==";
  await assert.rejects(
    s3.send(new PutObjectCommand({ ...object, Body: "after", ChecksumCRC32 })),
    isS3Error("BadDigest", 400),
  );
  const ContentLength = 100;
  const short = s3.send(
    new PutObjectCommand({ ...object, Body: Readable.from([Buffer.from("after")]), ContentLength }),
  );
  await assert.rejects(short);
  const kept = await s3.send(new GetObjectCommand(object));
  assert.equal(await kept.Body?.transformToString(), "before");
  await assert.rejects(
    s3.send(new PutObjectCommand({ ...object, Body: "x", IfNoneMatch: "*" })),
    isS3Error("PreconditionFailed", 412),
  );
  await s3.send(new PutObjectCommand({ ...object, Body: "x", IfMatch: kept.ETag }));
  assert.equal(world.log.lines.filter(({ level }) => level === "error").length, 0);
});

test("conditions and If-Range are kept", async (context) => {
  const { s3 } = await openBucket(context);
  const object = { Bucket: "firmware", Key: "app" };
  const { ETag: etag = "" } = await s3.send(new PutObjectCommand({ ...object, Body: bytesOf(10) }));
  const get = (more: object) => s3.send(new GetObjectCommand({ ...object, ...more }));
  await assert.rejects(get({ IfMatch: '"other"' }), isS3Error("PreconditionFailed", 412));
  await assert.rejects(get({ IfNoneMatch: etag }), isS3Error("Unknown", 304));
  await assert.rejects(get({ IfModifiedSince: new Date(Date.now() + 10_000) }), isS3Error("Unknown", 304));
  await assert.rejects(get({ IfUnmodifiedSince: new Date(0) }), isS3Error("PreconditionFailed", 412));
  assert.equal((await get({ IfMatch: etag, Range: "bytes=2-3" })).ContentRange, "bytes 2-3/10");
});

test("a bucket that keeps versions keeps them, and hides what is deleted", async (context) => {
  const { s3 } = await openBucket(context);
  const Bucket = "firmware";
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }));
  assert.equal((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status, "Enabled");
  const first = await s3.send(new PutObjectCommand({ Bucket, Key: "app", Body: "one" }));
  const second = await s3.send(new PutObjectCommand({ Bucket, Key: "app", Body: "two" }));
  assert.notEqual(first.VersionId, second.VersionId);
  const read = async (VersionId?: string) =>
    (await s3.send(new GetObjectCommand({ Bucket, Key: "app", VersionId }))).Body?.transformToString();
  assert.deepEqual([await read(), await read(first.VersionId)], ["two", "one"]);
  const marker = await s3.send(new DeleteObjectCommand({ Bucket, Key: "app" }));
  assert.equal(marker.DeleteMarker, true);
  await assert.rejects(read(), isS3Error("NoSuchKey", 404));
  assert.equal(await read(first.VersionId), "one");
  const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
  assert.deepEqual(
    Versions.map(({ VersionId, IsLatest }) => [VersionId, IsLatest]),
    [
      [second.VersionId, false],
      [first.VersionId, false],
    ],
  );
  assert.equal(DeleteMarkers[0]?.VersionId, marker.VersionId);
  await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket })), isS3Error("BucketNotEmpty", 409));
  await s3.send(new DeleteObjectCommand({ Bucket, Key: "app", VersionId: marker.VersionId }));
  assert.equal(await read(), "two");
  await assert.rejects(read("none"), isS3Error("NoSuchVersion", 404));
  const Objects = [first, second].map(({ VersionId }) => ({ Key: "app", VersionId }));
  const { Deleted = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(Deleted.length, 2);
  await s3.send(new DeleteBucketCommand({ Bucket }));
});

test("a list has pages, prefixes and the order of bytes", async (context) => {
  const { s3 } = await openBucket(context);
  const keys = ["a", "b/1", "b/2", "b/3/x", "b0", "c/1", "d", "é", "\u{10000}"];
  for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: "firmware", Key, Body: Key }));
  const found: (string | undefined)[] = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket: "firmware" })) {
    assert.ok((page.Contents?.length ?? 0) <= 2);
    found.push(...(page.Contents ?? []).map(({ Key }) => Key));
  }
  assert.deepEqual(found, keys);
  const list = async (more: object) => {
    const { Contents = [], CommonPrefixes = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: "firmware", ...more }),
    );
    return [...Contents.map(({ Key }) => Key), ...CommonPrefixes.map(({ Prefix }) => `${Prefix}…`)];
  };
  assert.deepEqual(await list({ Delimiter: "/" }), ["a", "b0", "d", "é", "\u{10000}", "b/…", "c/…"]);
  assert.deepEqual(await list({ Delimiter: "/", Prefix: "b/" }), ["b/1", "b/2", "b/3/…"]);
  assert.deepEqual(await list({ Prefix: "b" }), ["b/1", "b/2", "b/3/x", "b0"]);
  assert.deepEqual(await list({ Prefix: "d" }), ["d"]);
  assert.deepEqual(await list({ StartAfter: "c" }), ["c/1", "d", "é", "\u{10000}"]);
  const rolled: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 1 }, { Bucket: "firmware", Delimiter: "/" }))
    rolled.push(
      ...[...(page.Contents ?? []), ...(page.CommonPrefixes ?? [])].map((each) =>
        JSON.stringify(Object.values(each)[0]),
      ),
    );
  assert.equal(rolled.length, 7);
});

test("errors are S3's own, by their names", async (context) => {
  const { s3, world } = await openBucket(context);
  const send = (client: S3Client) => client.send(new GetObjectCommand({ Bucket: "none", Key: "app" }));
  await assert.rejects(send(s3), isS3Error("NoSuchBucket", 404));
  await assert.rejects(s3.send(new CreateBucketCommand({ Bucket: "Upper_case" })), isS3Error("InvalidBucketName", 400));
  const wrongKey = openS3(context, world, { credentials: { ...credentials, accessKeyId: "nobody" } });
  await assert.rejects(send(wrongKey), isS3Error("InvalidAccessKeyId", 403));
  const wrongSecret = openS3(context, world, { credentials: { ...credentials, secretAccessKey: "wrong" } });
  await assert.rejects(send(wrongSecret), isS3Error("SignatureDoesNotMatch", 403));
  const multipart = s3.send(new CreateMultipartUploadCommand({ Bucket: "firmware", Key: "app" }));
  await assert.rejects(multipart, (error: Error) => {
    assert.match(error.message, /multipart uploads of S3: send the object in one PUT/);
    return isS3Error("NotImplemented", 501)(error);
  });
  const elsewhere = openS3(context, world, { region: "eu-west-1" });
  await assert.rejects(
    elsewhere.send(new GetObjectCommand({ Bucket: "firmware", Key: "x" })),
    isS3Error("NoSuchBucket", 404),
  );
});

test("a bucket is found by the name of the host as well, as SDKs make it of an endpoint", async (context) => {
  const { s3, world } = await openBucket(context);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "a/b", Body: "content" }));
  const { port } = new URL(world.started.addresses.api);
  for (const name of ["s3.localhost", "localhost"]) {
    const named = openS3(context, world, { endpoint: `http://${name}:${port}`, forcePathStyle: false });
    const url = new URL(
      await getSignedUrl(named, new GetObjectCommand({ Bucket: "firmware", Key: "a/b" }), { expiresIn: 60 }),
    );
    assert.equal(url.host, `firmware.${name}:${port}`);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const path = url.pathname + url.search;
      httpRequest({ host: "127.0.0.1", port, path, headers: { host: url.host } }, resolve)
        .on("error", reject)
        .end();
    });
    assert.equal(answer.statusCode, 200);
    assert.equal((await answer.toArray()).join(""), "content");
  }
});

test("a device fetches by a presigned URL over HTTPS without a certificate, until it expires", async (context) => {
  const { s3, world } = await openBucket(context);
  const content = bytesOf(600_000, 9);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "pump/app.bin", Body: content }));
  const overTls = openS3(context, world, { endpoint: world.started.addresses.objects });
  const url = await getSignedUrl(overTls, new GetObjectCommand({ Bucket: "firmware", Key: "pump/app.bin" }), {
    expiresIn: 60,
  });
  const whole = await fetchAsDevice(context, world, url);
  assert.equal(whole.status, 200);
  assert.equal(whole.body.compare(content), 0);
  const { etag = "" } = whole.headers;
  const part = await fetchAsDevice(context, world, url, { range: "bytes=1000-1999", "if-range": etag });
  assert.deepEqual([part.status, part.headers["content-range"]], [206, "bytes 1000-1999/600000"]);
  assert.equal(part.body.compare(content.subarray(1_000, 2_000)), 0);
  const changed = await fetchAsDevice(context, world, url, { range: "bytes=1000-1999", "if-range": '"other"' });
  assert.deepEqual([changed.status, changed.body.length], [200, content.length]);

  const signingDate = new Date(Date.now() - 61_000);
  const old = await getSignedUrl(overTls, new GetObjectCommand({ Bucket: "firmware", Key: "pump/app.bin" }), {
    expiresIn: 60,
    signingDate,
  });
  const expired = await fetchAsDevice(context, world, old);
  assert.equal(expired.status, 403);
  assert.match(expired.body.toString(), /<Code>AccessDenied<\/Code><Message>Request has expired<\/Message>/);
  const forged = await fetchAsDevice(context, world, url.replace("app.bin", "other.bin"));
  assert.match(forged.body.toString(), /<Code>SignatureDoesNotMatch<\/Code>/);
});

test("the head of a small range and its bytes come in one TLS record, as an nRF91 needs it", async (context) => {
  const { s3, world } = await openBucket(context);
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: bytesOf(100_000) }));
  const { port } = new URL(world.started.addresses.objects);
  const proxy = await openRecordProxy(context, Number(port));
  const overTls = openS3(context, world, { endpoint: `https://localhost:${proxy.port}` });
  const url = await getSignedUrl(overTls, new GetObjectCommand({ Bucket: "firmware", Key: "app.bin" }), {
    expiresIn: 60,
  });
  const agent = new Agent({ ca: world.started.caPem, keepAlive: true, maxSockets: 1, maxVersion: "TLSv1.2" });
  context.after(() => agent.destroy());
  for (const start of [0, 1_500, 3_000]) {
    proxy.records.length = 0;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { range: `bytes=${start}-${start + 1_499}` };
      httpsRequest(url, { agent, headers }, resolve).on("error", reject).end();
    });
    assert.equal(
      (await response.toArray()).reduce((sum: number, part: Buffer) => sum + part.length, 0),
      1_500,
    );
    const [record = 0, ...others] = proxy.records;
    assert.deepEqual(others, []);
    // What is around the content in a record of TLS 1.2 is not counted by the modem.
    assert.ok(record <= 2_048, `${record} bytes`);
  }
});

/** Passes TLS on, and notes the lengths of the records of application data that the server sends. */
async function openRecordProxy(context: TestContext, port: number) {
  const records: number[] = [];
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    let rest = Buffer.alloc(0);
    upstream.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
        const length = rest.readUInt16BE(3);
        if (rest[0] === 0x17) records.push(length);
        rest = rest.subarray(5 + length);
      }
    });
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
    context.after(() => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  return { records, port: (server.address() as AddressInfo).port };
}

test("a presigned PUT takes what it was made for", async (context) => {
  const { s3, world } = await openBucket(context);
  const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: "firmware", Key: "log.txt" }), { expiresIn: 60 });
  const answer = await fetch(url, { method: "PUT", body: "line\n" });
  assert.equal(answer.status, 200);
  const got = await s3.send(new GetObjectCommand({ Bucket: "firmware", Key: "log.txt" }));
  assert.equal(await got.Body?.transformToString(), "line\n");
  assert.equal(world.log.lines.filter(({ level }) => level === "error").length, 0);
});
