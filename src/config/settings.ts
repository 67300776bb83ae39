/**
 * The table of settings: each with its place in the file, its variable, its flag, its rule, its
 * default and its meaning. config.ts puts the values together.
 */

import { resolve } from "node:path";
import { type LogFormat, type LogLevel, logFormats, logLevels } from "../base/log.ts";
import { type Address, addressForms } from "./address.ts";
import {
  addresses,
  oneOf,
  optionalFile,
  parsePassword,
  passwordForms,
  place,
  some,
  storeForms,
  storeUrl,
  truth,
  whole,
} from "./kinds.ts";

/** What a user may do. */
export const rights = ["take", "inspect", "verify", "create", "manage", "define", "admin"] as const;
export type Right = (typeof rights)[number];

/** Rights that are others together. */
export const rightsIn: Partial<Record<Right, readonly Right[]>> = { define: ["create", "manage"] };

/** A user as the settings have it. */
export interface UserSettings {
  readonly name: string;
  /** SHA-256 of the password. */
  readonly passwordHash: Buffer;
  readonly rights: readonly Right[];
  /** Patterns of the names the user may use. */
  readonly names: readonly string[];
}

export interface Config {
  readonly addr: readonly Address[];
  readonly tlsAddr: readonly Address[];
  readonly unixSocketMode: number;
  readonly protectedMode: boolean;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tlsClientCa: string;
  /** SHA-256 of the default user's password; undefined for none. */
  readonly requirepass: Buffer | undefined;
  readonly dataDir: string;
  readonly create: boolean;
  readonly autoSave: boolean;
  readonly allowNetworkFileSystem: boolean;
  /** The folder below which BACKUP may write; empty for anywhere. */
  readonly backupDir: string;
  readonly deletedDays: number;
  /** URL of the store that nodes share; empty for a node alone. */
  readonly store: string;
  /** "i/n": node i of n that share their lines without a store; empty for none. */
  readonly node: string;
  readonly clientsMax: number;
  readonly requestBytesMax: number;
  readonly requestArgumentsMax: number;
  readonly transactionBytesMax: number;
  readonly replyBytesMax: number;
  readonly replyBytesHardMax: number;
  readonly bufferBytesMax: number;
  readonly idleSecondsMax: number;
  readonly keepaliveSeconds: number;
  readonly dispensersMax: number;
  readonly nameBytesMax: number;
  readonly deletedMax: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** Those under access.users of the file, which is the one place for them. */
  readonly users: readonly UserSettings[];
}

export interface Setting<T> {
  /** Where it stands in the file. */
  readonly path: string;
  /** NUMBER_DISPENSER_ and this is its environment variable. */
  readonly variable: string;
  /** Another name of the variable, that of its place in the file. */
  readonly alias?: string;
  readonly flag?: string;
  /** The default, written as a user would. */
  readonly unset: string;
  readonly help: string;
  /** The value of a text, or undefined; `allowed` then completes "must be ...". */
  readonly parse: (text: string) => { readonly value: T } | undefined;
  readonly allowed: string;
  /** What Redis calls it, in CONFIG GET and SET. */
  readonly redisName?: string;
  /** Whether CONFIG SET may change it. */
  readonly isLive?: boolean;
  /** Whether nobody may be shown it. */
  readonly isSecret?: boolean;
}

const MEBIBYTE = 1024 * 1024;
const GIBIBYTE = 1024 * MEBIBYTE;

/** A setting that CONFIG SET may change is marked with a star in config.yaml. */
export const settings: { readonly [Key in Exclude<keyof Config, "users">]: Setting<Config[Key]> } =
  {
    addr: {
      path: "server.addr",
      variable: "ADDR",
      flag: "addr",
      unset: ":6380",
      help: `addresses to listen on: ${addressForms}; :port is all interfaces`,
      redisName: "bind",
      ...addresses,
    },
    tlsAddr: {
      path: "server.tls_addr",
      variable: "TLS_ADDR",
      unset: "",
      help: "addresses to listen on with TLS",
      ...addresses,
    },
    unixSocketMode: {
      path: "server.unix_socket_mode",
      variable: "UNIX_SOCKET_MODE",
      unset: "0700",
      help: "permissions of unix sockets, in octal",
      parse: (text) => some(/^0?[0-7]{3}$/.test(text) ? Number.parseInt(text, 8) : undefined),
      allowed: "three octal digits, as 0770",
    },
    protectedMode: {
      path: "server.protected_mode",
      variable: "PROTECTED_MODE",
      unset: "true",
      help: "while no password is set, refuse clients that are not on this machine",
      redisName: "protected-mode",
      ...truth,
    },
    tlsCert: {
      path: "tls.cert",
      variable: "TLS_CERT",
      unset: "",
      help: "certificate (chain) of the server, PEM; read again on SIGHUP",
      redisName: "tls-cert-file",
      ...optionalFile,
    },
    tlsKey: {
      path: "tls.key",
      variable: "TLS_KEY",
      unset: "",
      help: "its private key, PEM; read again on SIGHUP",
      redisName: "tls-key-file",
      ...optionalFile,
    },
    tlsClientCa: {
      path: "tls.client_ca",
      variable: "TLS_CLIENT_CA",
      unset: "",
      help: "clients over TLS must show a certificate signed by one of these, PEM",
      redisName: "tls-ca-cert-file",
      ...optionalFile,
    },
    requirepass: {
      path: "access.requirepass",
      variable: "REQUIREPASS",
      unset: "",
      help: "password of the default user, who may do everything; none: no password",
      isSecret: true,
      parse: (text) => (text === "" ? { value: undefined } : some(parsePassword(text))),
      allowed: passwordForms,
    },
    dataDir: {
      path: "storage.data_dir",
      variable: "DATA",
      alias: "DATA_DIR",
      flag: "data",
      unset: "./data",
      help: "folder of the database",
      redisName: "dir",
      parse: (text) => some(text === "" || text.includes("\0") ? undefined : resolve(text)),
      allowed: "the path of a folder",
    },
    create: {
      path: "storage.create",
      variable: "CREATE",
      unset: "true",
      help: "start afresh in a folder without a database; false refuses it",
      ...truth,
    },
    autoSave: {
      path: "storage.auto_save",
      variable: "AUTO_SAVE",
      unset: "true",
      help: "save the counts that INFO shows in the background",
      ...truth,
    },
    allowNetworkFileSystem: {
      path: "storage.allow_network_fs",
      variable: "ALLOW_NETWORK_FS",
      unset: "false",
      help: "allow a data folder on NFS, FUSE, a cluster's or a hypervisor's file system, where numbers may repeat",
      ...truth,
    },
    backupDir: {
      path: "storage.backup_dir",
      variable: "BACKUP_DIR",
      unset: "",
      help: "the one folder below which BACKUP may write; none: wherever the server's user may",
      parse: (text) => some(text.includes("\0") ? undefined : text === "" ? "" : resolve(text)),
      allowed: "the path of a folder, or empty",
    },
    deletedDays: {
      path: "storage.deleted_days",
      variable: "DELETED_DAYS",
      unset: "90",
      help: "days of running time for which it is remembered how far a deleted line had come, so that its numbers do not repeat",
      isLive: true,
      ...whole(1, 36_500),
    },
    store: {
      path: "storage.store",
      variable: "STORE",
      flag: "store",
      unset: "",
      help: `store from which several nodes lease their lines: ${storeForms}`,
      isSecret: true,
      ...storeUrl,
    },
    node: {
      path: "cluster.node",
      variable: "NODE",
      flag: "node",
      unset: "",
      help: "i/n: node i of n that share their lines without a store",
      ...place,
    },
    clientsMax: {
      path: "limits.clients",
      variable: "CLIENTS",
      unset: "10000",
      help: "connections at a time; fewer where the process may not open as many files",
      redisName: "maxclients",
      isLive: true,
      ...whole(1, 1_000_000),
    },
    requestBytesMax: {
      path: "limits.request_bytes",
      variable: "REQUEST_BYTES",
      unset: "1048576",
      help: "bytes of one request",
      redisName: "proto-max-bulk-len",
      ...whole(1024, 512 * MEBIBYTE),
    },
    requestArgumentsMax: {
      path: "limits.request_arguments",
      variable: "REQUEST_ARGUMENTS",
      unset: "1048576",
      help: "arguments of one request",
      ...whole(16, GIBIBYTE),
    },
    transactionBytesMax: {
      path: "limits.transaction_bytes",
      variable: "TRANSACTION_BYTES",
      unset: "4194304",
      help: "bytes of the requests between MULTI and EXEC, where each word counts 64 more",
      isLive: true,
      ...whole(1024, 512 * MEBIBYTE),
    },
    replyBytesMax: {
      path: "limits.reply_bytes",
      variable: "REPLY_BYTES",
      unset: "1048576",
      help: "unread bytes of replies at which a client is not read from until it has read them",
      isLive: true,
      ...whole(1024, GIBIBYTE),
    },
    replyBytesHardMax: {
      path: "limits.reply_bytes_hard",
      variable: "REPLY_BYTES_HARD",
      unset: "67108864",
      help: "unread bytes of replies, as one large reply may have, at which a client is closed",
      isLive: true,
      ...whole(1024, GIBIBYTE),
    },
    bufferBytesMax: {
      path: "limits.buffer_bytes",
      variable: "BUFFER_BYTES",
      unset: "134217728",
      help: "bytes buffered for all clients together, past which the one with the most is closed",
      redisName: "maxmemory-clients",
      isLive: true,
      ...whole(MEBIBYTE, 1024 * GIBIBYTE),
    },
    idleSecondsMax: {
      path: "limits.idle_seconds",
      variable: "IDLE_SECONDS",
      unset: "0",
      help: "seconds after which a silent client is closed; 0: never",
      redisName: "timeout",
      isLive: true,
      ...whole(0, 31_536_000),
    },
    keepaliveSeconds: {
      path: "limits.keepalive_seconds",
      variable: "KEEPALIVE_SECONDS",
      unset: "300",
      help: "seconds of silence after which TCP asks whether a client is there; 0: never",
      redisName: "tcp-keepalive",
      isLive: true,
      ...whole(0, 86_400),
    },
    dispensersMax: {
      path: "limits.dispensers",
      variable: "DISPENSERS",
      unset: "10000000",
      help: "dispensers in all",
      isLive: true,
      ...whole(1, 1_000_000_000),
    },
    nameBytesMax: {
      path: "limits.name_bytes",
      variable: "NAME_BYTES",
      unset: "255",
      help: "bytes of the name of a new dispenser",
      isLive: true,
      ...whole(1, 255),
    },
    deletedMax: {
      path: "limits.deleted",
      variable: "DELETED",
      unset: "100000",
      help: "deleted lines that are remembered; of more the oldest are forgotten",
      isLive: true,
      ...whole(1, 100_000_000),
    },
    logLevel: {
      path: "log.level",
      variable: "LOG_LEVEL",
      unset: "info",
      help: `least important events to log: ${logLevels.join(", ")}`,
      ...oneOf(logLevels),
    },
    logFormat: {
      path: "log.format",
      variable: "LOG_FORMAT",
      unset: "text",
      help: `how to log: ${logFormats.join(", ")}`,
      ...oneOf(logFormats),
    },
  };
