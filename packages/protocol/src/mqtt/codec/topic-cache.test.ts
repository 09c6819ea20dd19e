import assert from "node:assert/strict";
import { test } from "node:test";
import { cachedTopicBytesMax, cachedTopicsMax, TopicCache } from "./topic-cache.js";

const utf8 = new TextEncoder();

function find(cache: TopicCache, topic: string): string | undefined {
  const bytes = utf8.encode(`..${topic}..`);
  return cache.find(bytes, 2, bytes.length - 2);
}

function add(cache: TopicCache, topic: string): void {
  const bytes = utf8.encode(`..${topic}..`);
  cache.add(bytes, 2, bytes.length - 2, topic);
}

test("a topic is found by all of its bytes, not by a part of them", () => {
  for (const known of ["abc", "a/b/c"]) {
    const cache = new TopicCache();
    assert.equal(find(cache, known), undefined);
    add(cache, known);
    assert.equal(find(cache, known), known);
    for (const other of ["ab", "bc", "abcd", "zabc", "abd", "xbc", "a/b/", "/b/c"])
      assert.equal(find(cache, other), undefined);
    add(cache, "another");
    for (const other of ["ab", "bc", "abcd", "zabc", "abd", "xbc", "a/b/", "/b/c"])
      assert.equal(find(cache, other), undefined);
    assert.equal(find(cache, known), known);
    assert.equal(find(cache, "another"), "another");
  }
});

test("a flood of topics is never mixed up and never kept beyond the slots", () => {
  const cache = new TopicCache();
  const topics = Array.from({ length: 1000 }, (_, index) => `device/${index}`);
  for (const topic of topics) {
    const found = find(cache, topic);
    assert.ok(found === undefined || found === topic);
    add(cache, topic);
    assert.equal(find(cache, topic), topic);
  }
  const kept = topics.filter((topic) => {
    const found = find(cache, topic);
    assert.ok(found === undefined || found === topic);
    return found !== undefined;
  });
  assert.ok(kept.length > cachedTopicsMax / 2 && kept.length <= cachedTopicsMax, String(kept.length));
});

test("a very long topic is not kept", () => {
  const cache = new TopicCache();
  add(cache, "x".repeat(cachedTopicBytesMax));
  add(cache, "y".repeat(cachedTopicBytesMax + 1));
  assert.equal(find(cache, "x".repeat(cachedTopicBytesMax)), "x".repeat(cachedTopicBytesMax));
  assert.equal(find(cache, "y".repeat(cachedTopicBytesMax + 1)), undefined);
});

test("what is kept is a copy", () => {
  const cache = new TopicCache();
  const bytes = utf8.encode("topic");
  cache.add(bytes, 0, bytes.length, "topic");
  bytes.fill(0x78);
  assert.equal(find(cache, "topic"), "topic");
  assert.equal(find(cache, "xxxxx"), undefined);
});
