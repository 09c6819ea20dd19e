export type {
  IssuedCertificate,
  KeyOrigin,
  ThingCertificate,
  VendedCertificate,
  VendingCloud,
  VendingContext,
  VendingEvent,
  VendingHandler,
  VendingLog,
} from "./types.js";
