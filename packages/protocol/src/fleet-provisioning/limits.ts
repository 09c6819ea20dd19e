/** Bytes of any message of fleet provisioning: the most that AWS IoT takes or sends. */
export const fleetProvisioningMessageBytesMax = 131_072;
/** AWS's tokens have hundreds of characters. */
export const ownershipTokenCharactersMax = 4_096;
/** Of a certificate signing request, in PEM; AWS's limit. */
export const signingRequestCharactersMax = 4_096;
/** Of a certificate, with its chain where a certificate provider sends one; AWS's limit. */
export const certificatePemCharactersMax = 65_536;
/** Of a private key, in PEM. An RSA key of 4,096 bits has 3,272. */
export const privateKeyPemCharactersMax = 16_384;
/** Of one RegisterThing. */
export const provisioningParametersMax = 256;
/** Characters of the name of a parameter. */
export const provisioningParameterNameCharactersMax = 128;
/** Objects and lists within each other in a device configuration, of which AWS sends none. */
export const deviceConfigurationDepthMax = 8;
