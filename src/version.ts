/** The version, as package.json says it; the compiled binary carries it inside. */
import manifest from "../package.json";

export const version: string = manifest.version;
