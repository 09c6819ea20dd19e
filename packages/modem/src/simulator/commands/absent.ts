/**
 * Commands of Nordic's references that the simulated modem does not have: it answers ERROR, and `AT+CLAC` leaves them out. SMS, access to the
 * SIM card's files, radio hardware, traces and production tests have nothing behind them here.
 */
export const commandsNotSimulated: readonly string[] = [
  ...["+CMGF", "+CNMI", "+CMGS", "+CNMA", "+CPMS", "+CGSMS", "%XSMMA", "%XSMSFALLBACK"],
  ...["+CRSM", "+CSIM", "%XUSIMLCK"],
  ...["%XCOEX0", "%XCOEX2", "%XMAGPIO", "%XMIPIRFFEDEV", "%XMIPIRFFECTRL", "%XANTCFG", "%XEMPR", "%XFILEWRITE"],
  ...["%XRFTEST", "%XANTDETMAGPIO", "%XGPIOTEST", "%XFSSYNC", "%XMODEMTRACE"],
  ...["+CEINFO", "+CGEQOSRDP", "%XPCO", "%XAPNCLASS", "%XAPNSTATUS", "%XIPV6FAIL", "%XOPNAME", "%XOPCONF"],
  ...["%XRAI", "%RAI", "%XDEEPSEARCH", "%REL14FEAT", "%FEACONF", "%REDMOB", "%PERIODICSEARCHCONF", "%ENVEVAL"],
  ...["+ODIS", "+ODISNTF", "%JWT", "%CELLULARPRFL"],
];
