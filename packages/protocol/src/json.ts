/**
 * What JSON can hold. What takes values here never changes a value that it was given. Objects come from JSON or a literal, so that `in` finds
 * their own members alone.
 */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of the document itself: names such as `constructor` are not looked up on the prototype. */
export function memberOf(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** Sets a member under any name: an assignment to `__proto__` would set the prototype. */
export function setMember(target: Record<string, JsonValue>, name: string, value: JsonValue): void {
  if (name !== "__proto__") target[name] = value;
  else Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
}

export function isEmptyObject(object: JsonObject): boolean {
  for (const name in object) if (Object.hasOwn(object, name)) return false;
  return true;
}

/** Numbers are compared by value, objects whatever the order of their members. */
export function isJsonEqual(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length && left.every((item: JsonValue, at) => isJsonEqual(item, right[at] as JsonValue))
    );
  }
  if (!isJsonObject(left) || !isJsonObject(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => {
    const other = memberOf(right, name);
    return other !== undefined && isJsonEqual(left[name] as JsonValue, other);
  });
}
