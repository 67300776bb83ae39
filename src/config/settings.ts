/**
 * The table of settings: each with its path in the file, its variable, its default, its kind and
 * its meaning. load.ts reads the values.
 */

import { logFormats, logLevels } from "../base/log.ts";
import { addressForms } from "./address.ts";
import {
  addresses,
  fileMode,
  folder,
  type Kind,
  oneOf,
  optionalFile,
  optionalFolder,
  optionalPassword,
  storeForms,
  storeUrl,
  stripe,
  truth,
  whole,
} from "./kinds.ts";

export interface Setting<T> extends Kind<T> {
  /** The path of the setting in the file. */
  readonly path: string;
  /** The environment variable after NUMBER_DISPENSER_; by default the last word of the path. */
  readonly variable: string;
  /** The default, as a user would write it. */
  readonly unset: string;
  readonly help: string;
  readonly flag?: string;
  /** Another name of the variable: the last word of the path. */
  readonly alias?: string;
  /** The name of the setting in Redis, for CONFIG GET and SET. */
  readonly redisName?: string;
  /** Whether CONFIG SET may change it while the server runs. */
  readonly isLive?: boolean;
  /** Whether it is a secret that is never shown. */
  readonly isSecret?: boolean;
}

type Meaning = Pick<Setting<unknown>, "help"> &
  Partial<Omit<Setting<unknown>, keyof Kind<unknown>>>;

function setting<T>(path: string, unset: string, kind: Kind<T>, meaning: Meaning): Setting<T> {
  const variable = path.split(".").at(-1)!.toUpperCase();
  return { path, variable, unset, ...kind, ...meaning };
}

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;

/** A setting that CONFIG SET may change is marked with a star in config.yaml. */
export const settings = {
  addr: setting("server.addr", ":6380", addresses, {
    help: `addresses to listen on: ${addressForms}; :port is all interfaces`,
    flag: "addr",
    redisName: "bind",
  }),
  tlsAddr: setting("server.tls_addr", "", addresses, {
    help: "addresses to listen on with TLS",
  }),
  unixSocketMode: setting("server.unix_socket_mode", "0700", fileMode, {
    help: "permissions of unix sockets, in octal",
  }),
  protectedMode: setting("server.protected_mode", "true", truth, {
    help: "while no password is set, refuse clients that are not on this machine",
    redisName: "protected-mode",
  }),

  tlsCert: setting("tls.cert", "", optionalFile, {
    variable: "TLS_CERT",
    help: "certificate (chain) of the server, PEM; read again on SIGHUP",
    redisName: "tls-cert-file",
  }),
  tlsKey: setting("tls.key", "", optionalFile, {
    variable: "TLS_KEY",
    help: "its private key, PEM; read again on SIGHUP",
    redisName: "tls-key-file",
  }),
  tlsClientCa: setting("tls.client_ca", "", optionalFile, {
    variable: "TLS_CLIENT_CA",
    help: "clients over TLS must show a certificate signed by one of these, PEM",
    redisName: "tls-ca-cert-file",
  }),

  /** The SHA-256 of the default user's password; undefined for none. */
  requirepass: setting("access.requirepass", "", optionalPassword, {
    help: "password of the default user, who may do everything; none: no password",
    isSecret: true,
  }),

  dataDir: setting("storage.data_dir", "./data", folder, {
    variable: "DATA",
    help: "folder of the database",
    flag: "data",
    alias: "DATA_DIR",
    redisName: "dir",
  }),
  create: setting("storage.create", "true", truth, {
    help: "start afresh in a folder without a database; false refuses it",
  }),
  autoSave: setting("storage.auto_save", "true", truth, {
    help: "save the counts that INFO shows in the background",
  }),
  allowNetworkFileSystem: setting("storage.allow_network_fs", "false", truth, {
    help: "allow a data folder on NFS, FUSE, a cluster's or a hypervisor's file system, where numbers may repeat",
  }),
  /** The folder below which BACKUP may write; empty for anywhere. */
  backupDir: setting("storage.backup_dir", "", optionalFolder, {
    help: "the one folder below which BACKUP may write; none: wherever the server's user may",
  }),
  deletedDays: setting("storage.deleted_days", "90", whole(1, 36_500), {
    help: "days of running time for which it is remembered how far a deleted line had come, so that its numbers do not repeat",
    isLive: true,
  }),
  /** The URL of the lease store; empty for a node alone. */
  store: setting("storage.store", "", storeUrl, {
    help: `store from which several nodes lease their lines: ${storeForms}`,
    flag: "store",
    isSecret: true,
  }),

  /** The stripe "i/n" of a node that shares its lines without a lease store; empty for none. */
  node: setting("cluster.node", "", stripe, {
    help: "i/n: node i of n that share their lines without a store",
    flag: "node",
  }),

  clientsMax: setting("limits.clients", "10000", whole(1, 1_000_000), {
    help: "connections at a time; fewer where the process may not open as many files",
    redisName: "maxclients",
    isLive: true,
  }),
  requestBytesMax: setting("limits.request_bytes", "1048576", whole(1024, 512 * MEBIBYTE), {
    help: "bytes of one request",
    redisName: "proto-max-bulk-len",
  }),
  requestArgumentsMax: setting("limits.request_arguments", "1048576", whole(16, GIBIBYTE), {
    help: "arguments of one request",
  }),
  transactionBytesMax: setting("limits.transaction_bytes", "4194304", whole(1024, 512 * MEBIBYTE), {
    help: "bytes of the requests between MULTI and EXEC, where each word counts 64 more",
    isLive: true,
  }),
  replyBytesMax: setting("limits.reply_bytes", "1048576", whole(1024, GIBIBYTE), {
    help: "unread bytes of replies that a client may have before its requests wait; more, up to half of reply_bytes_hard, while much of buffer_bytes is free",
    isLive: true,
  }),
  replyBytesHardMax: setting("limits.reply_bytes_hard", "67108864", whole(1024, GIBIBYTE), {
    help: "unread bytes of replies, as one large reply may have, at which a client is closed",
    isLive: true,
  }),
  bufferBytesMax: setting("limits.buffer_bytes", "134217728", whole(MEBIBYTE, 1024 * GIBIBYTE), {
    help: "bytes buffered for all clients together, past which those with the most are closed",
    redisName: "maxmemory-clients",
    isLive: true,
  }),
  unauthenticatedBytesMax: setting(
    "limits.unauthenticated_bytes",
    "8388608",
    whole(64 * 1024, GIBIBYTE),
    {
      help: "bytes buffered for all clients together that have not logged in; they are not in buffer_bytes",
      isLive: true,
    },
  ),
  unauthenticatedPerAddressMax: setting(
    "limits.unauthenticated_per_address",
    "2000",
    whole(1, 1_000_000),
    {
      help: "connections from one address (IPv6: one /64) that have not logged in; of more the oldest silent one is closed",
      isLive: true,
    },
  ),
  loginSecondsMax: setting("limits.login_seconds", "30", whole(0, 86_400), {
    help: "seconds in which a client has to log in where a password is set; 0: no limit",
    isLive: true,
  }),
  requestSecondsMax: setting("limits.request_seconds", "60", whole(0, 86_400), {
    help: "seconds in which a client has to finish a request that it began, or go on reading replies that are in its way; 0: no limit",
    isLive: true,
  }),
  idleSecondsMax: setting("limits.idle_seconds", "0", whole(0, 31_536_000), {
    help: "seconds after which a silent client is closed; 0: never",
    redisName: "timeout",
    isLive: true,
  }),
  keepaliveSeconds: setting("limits.keepalive_seconds", "300", whole(0, 86_400), {
    help: "seconds of silence after which TCP asks whether a client is there; 0: never",
    redisName: "tcp-keepalive",
    isLive: true,
  }),
  takeMax: setting("limits.take", "10000", whole(1, 1_000_000), {
    help: "numbers that one command, or one transaction, may take",
    isLive: true,
  }),
  dispensersMax: setting("limits.dispensers", "10000000", whole(1, 1_000_000_000), {
    help: "dispensers in all",
    isLive: true,
  }),
  nameBytesMax: setting("limits.name_bytes", "255", whole(1, 255), {
    help: "bytes of the name of a new dispenser",
    isLive: true,
  }),
  /** The default holds ten million names of any length. */
  namesBytesMax: setting("limits.names_bytes", "12884901888", whole(MEBIBYTE, 1024 * GIBIBYTE), {
    help: "bytes of memory for the names of all dispensers, where each dispenser counts 1000 and its name",
    isLive: true,
  }),
  deletedMax: setting("limits.deleted", "100000", whole(1, 100_000_000), {
    help: "deleted lines that are remembered; of more the oldest are forgotten",
    isLive: true,
  }),

  logLevel: setting("log.level", "info", oneOf(logLevels), {
    variable: "LOG_LEVEL",
    help: `least important events to log: ${logLevels.join(", ")}`,
    redisName: "loglevel",
    isLive: true,
  }),
  logFormat: setting("log.format", "text", oneOf(logFormats), {
    variable: "LOG_FORMAT",
    help: `how to log: ${logFormats.join(", ")}`,
  }),
  /** The file of who did what; empty for none. */
  logAudit: setting("log.audit", "", optionalFile, {
    variable: "LOG_AUDIT",
    help: "file to which each change of definitions, positions, settings and clients is added as a line of JSON; opened again on SIGUSR1",
  }),
};

type Values = {
  readonly [Key in keyof typeof settings]: (typeof settings)[Key] extends Setting<infer T>
    ? T
    : never;
};

/** The values of all settings. */
export interface Config extends Values {
  /** The users, which only access.users in the file can set. */
  readonly users: readonly UserSettings[];
}

/** The rights that a user may have. */
export const rights = ["take", "inspect", "verify", "create", "manage", "define", "admin"] as const;
export type Right = (typeof rights)[number];

/** Rights that stand for several others. */
export const rightsIn: Partial<Record<Right, readonly Right[]>> = { define: ["create", "manage"] };

/** A user in the settings. */
export interface UserSettings {
  readonly name: string;
  /** The SHA-256 of the password. */
  readonly passwordHash: Buffer;
  readonly rights: readonly Right[];
  /** Patterns of the names that the user may use. */
  readonly names: readonly string[];
}
