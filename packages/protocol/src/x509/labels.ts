/** What somebody probably did who gave a block of another kind: begins with `: `, or is empty. */
export function labelHint(label: string, wanted: "certificate" | "privateKey"): string {
  if (label === "CERTIFICATE REQUEST" || label === "NEW CERTIFICATE REQUEST") {
    return ": a request is what a CA makes a certificate from; use the certificate that came back";
  }
  if (wanted === "certificate" && label.endsWith("PRIVATE KEY")) return ": certificate and key may be swapped";
  if (wanted === "privateKey" && label.endsWith("CERTIFICATE")) return ": certificate and key may be swapped";
  if (label.endsWith("PUBLIC KEY")) return ": a public key alone proves nothing";
  if (label === "OPENSSH PRIVATE KEY") return ": ssh-keygen -p -m PEM turns it into one that TLS can use";
  return "";
}
