import type { CommandContext } from "../command.js";
import { openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";

/** Where certificates are: the local cloud, which knows what became of each, or a real account, which does not. */
export interface CertPlace extends FotaPlane {
  readonly signal: AbortSignal;
  /** The data directory of the local cloud; undefined on AWS. */
  readonly dataDir: string | undefined;
}

export async function openCertPlace(context: CommandContext, options: PlaceOptions): Promise<CertPlace> {
  const plane = await openFotaPlane(context, options);
  return { ...plane, signal: context.signal, dataDir: options.aws === true ? undefined : options.dataDir };
}
