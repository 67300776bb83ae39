/** The version in package.json, which the compiled binary contains. */
import manifest from "../../package.json";

/** Defined only in the compiled binary (scripts/build.ts). */
declare const BUILD_COMMIT: string;

export const version: string = manifest.version;

export const isCompiled: boolean = typeof BUILD_COMMIT !== "undefined";

/** The commit that was compiled, or "source". */
const commit = isCompiled ? `commit ${BUILD_COMMIT}` : "source";

/** The output of -version. */
export const versionText = `number-dispenser ${version} (${commit}, Bun ${Bun.version})`;

/** The Redis whose protocol and replies this server follows, for clients that look at its version. */
export const redisVersion = "7.0.0";
