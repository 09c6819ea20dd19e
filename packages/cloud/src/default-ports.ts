/** Objects over HTTPS, for devices; one more than that of the REST APIs. */
export const defaultObjectsPort = 4681;
