/** The version, as package.json says it; the compiled binary carries it inside. */
import manifest from "../../package.json";

/** Set where the program is compiled (scripts/build.ts). */
declare const BUILD_COMMIT: string;

export const version: string = manifest.version;

/** Whether this is the compiled binary. */
export const isCompiled: boolean = typeof BUILD_COMMIT !== "undefined";

/** The commit that was compiled; run from source it is what lies there. */
const commit = isCompiled ? `commit ${BUILD_COMMIT}` : "source";

/** What -version says. */
export const versionText = `number-dispenser ${version} (${commit}, Bun ${Bun.version})`;
