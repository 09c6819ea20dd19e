/** Whether a text fits into so many bytes of UTF-8. */
export function isWithin(text: string, bytesMax: number): boolean {
  return new TextEncoder().encode(text).length <= bytesMax;
}
