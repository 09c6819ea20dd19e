/**
 * Generations of Nordic's application that turns an nRF91 into a modem behind a serial line. `slm1`: Serial LTE Modem of the nRF Connect
 * SDK up to 2.2; `slm2`: the same up to SDK 3.1; `serialModem`: the add-on that came after it.
 */
export type SerialModemDialect = "slm1" | "slm2" | "serialModem";
