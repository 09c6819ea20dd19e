/** The names of `count` links: a number at the end is counted up, without one they get one from 1 on. */
export function portLinkNames(path: string, count: number): string[] {
  if (count === 1) return [path];
  const [, stem = path, digits] = /^(.*?)(\d{1,9})$/s.exec(path) ?? [];
  const first = digits === undefined ? 1 : Number(digits);
  return Array.from(
    { length: count },
    (_, index) => `${stem}${String(first + index).padStart(digits?.length ?? 1, "0")}`,
  );
}
