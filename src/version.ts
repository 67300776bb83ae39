/** The version, as package.json says it; the compiled binary carries it inside. */
import manifest from "../package.json";

/** Set where the program is compiled (config/build.ts). */
declare const BUILD_COMMIT: string;

export const version: string = manifest.version;

/** The commit that was compiled; run from source it is what lies there. */
const commit = typeof BUILD_COMMIT === "undefined" ? "source" : `commit ${BUILD_COMMIT}`;

/** What -version says. */
export const versionText = `number-dispenser ${version} (${commit}, Bun ${Bun.version})`;
