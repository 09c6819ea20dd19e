/** As people write it: a build number of 0 says nothing. Programs are told the whole version. */
export const shortVersion = (version: string): string => version.replace(/\+0$/, "");

/** The versions within a sentence. */
export const shortVersions = (text: string): string => text.replace(/\b(\d+\.\d+\.\d+)\+0\b(?!\.\d)/g, "$1");
