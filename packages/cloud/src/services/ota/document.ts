import { ThinglineError } from "@thingline/protocol";
import { encodePercent } from "@thingline/protocol/restjson";
import { encodeBase64 } from "@thingline/protocol/x509";
import type { CustomCodeSigning, OTAUpdateFile } from "../../model/types/iot.js";
import type { ObjectAddress } from "../objects/index.js";

/** A file of an update, and what is known of it. */
export interface DocumentFile extends OTAUpdateFile {
  fileId: number;
  bytes: number;
  address: ObjectAddress;
}

export interface DocumentParts {
  protocols: readonly ("MQTT" | "HTTP")[];
  /** For MQTT. */
  streamId: string | undefined;
  files: readonly DocumentFile[];
  region: string;
}

/**
 * The job document that FreeRTOS's OTA agent reads. The URL of a file is a placeholder, filled in each time that a device gets the document.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a signature that is not whole
 */
export function otaDocument({ protocols, streamId, files, region }: DocumentParts): string {
  const isOverHttp = protocols.includes("HTTP");
  return JSON.stringify({
    afr_ota: {
      protocols,
      ...(streamId !== undefined && { streamname: streamId }),
      files: files.map(({ fileName, fileType, fileId, bytes, codeSigning, address }) => ({
        ...{ filepath: fileName, filesize: bytes, fileid: fileId },
        ...signatureOf(codeSigning?.customCodeSigning),
        ...(fileType !== undefined && { fileType }),
        ...(isOverHttp && { auth_scheme: "aws.s3.presigned", update_data_url: placeholderOf(address, region) }),
      })),
    },
  });
}

/** `sig-sha256-ecdsa` and the like. */
function signatureOf(signing: CustomCodeSigning | undefined): Record<string, string> {
  if (signing === undefined) return {};
  const { signature, certificateChain, hashAlgorithm, signatureAlgorithm } = signing;
  const isWord = (text: string | undefined): text is string => /^[A-Za-z0-9-]{1,32}$/.test(text ?? "");
  if (signature?.inlineDocument === undefined || !isWord(hashAlgorithm) || !isWord(signatureAlgorithm)) {
    const message = "customCodeSigning needs a signature, a hashAlgorithm and a signatureAlgorithm";
    throw new ThinglineError("REQUEST_INVALID", message);
  }
  const name = `sig-${hashAlgorithm}-${signatureAlgorithm}`.toLowerCase();
  const certificate = certificateChain?.certificateName;
  return {
    ...(certificate !== undefined && { certfile: certificate }),
    [name]: encodeBase64(signature.inlineDocument),
  };
}

function placeholderOf({ bucket, key, versionId }: ObjectAddress, region: string): string {
  const path = key.split("/").map(encodePercent).join("/");
  const version = versionId === undefined ? "" : `?versionId=${encodePercent(versionId)}`;
  return `\${aws:iot:s3-presigned-url:https://s3.${region}.amazonaws.com/${bucket}/${path}${version}}`;
}
