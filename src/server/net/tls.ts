/** TLS: the certificates of the settings, and why a client gets no connection by them. */

import type { Socket, TLSOptions } from "bun";
import { CannotStart, reasonOf } from "../../base/errors.ts";
import type { Config } from "../../config/settings.ts";
import { readRegular } from "../../platform/files.ts";

/** Reads the certificates and the key. Throws CannotStart if a file cannot be read. */
export function readTls({ tlsCert, tlsKey, tlsClientCa }: Config): TLSOptions {
  const read = (path: string, setting: string) => {
    try {
      // Files are also read while the server runs, and a FIFO would block it.
      return readRegular(path).toString();
    } catch (error) {
      throw new CannotStart(`cannot read ${setting} ${path}: ${reasonOf(error)}`);
    }
  };
  const options = { cert: read(tlsCert, "tls.cert"), key: read(tlsKey, "tls.key") };
  if (tlsClientCa === "") return options;
  const ca = read(tlsClientCa, "tls.client_ca");
  return { ...options, ca, requestCert: true, rejectUnauthorized: true };
}

/** How BoringSSL begins the name of an error. */
const ERROR_NAME = /OPENSSL_internal:(\w+)$/;

/** What operators can do something about, by the names that BoringSSL has for it. */
const REASONS: Readonly<Record<string, string>> = {
  WRONG_VERSION_NUMBER: "it does not speak TLS, which this address is for",
  HTTP_REQUEST: "it speaks plain HTTP, and this address is for TLS",
  PEER_DID_NOT_RETURN_A_CERTIFICATE: "it shows no certificate, and tls.client_ca asks for one",
  UNSUPPORTED_PROTOCOL: "it wants a version of TLS before 1.2",
  NO_SHARED_CIPHER: "it has no cipher in common with the server",
  // OpenSSL sends what it objects to in plain text where TLS 1.3 wants it encrypted.
  BAD_PACKET_LENGTH: "it broke off the handshake: perhaps it does not trust tls.cert",
  TLSV1_ALERT_UNKNOWN_CA: "it does not trust tls.cert",
  SSLV3_ALERT_BAD_CERTIFICATE: "it does not trust tls.cert",
  SSLV3_ALERT_CERTIFICATE_UNKNOWN: "it does not trust tls.cert",
};

/**
 * Why a client is refused after a handshake that ended so; undefined if it may enter, "" if it only
 * left. `wantsCertificate`: it has to show one that tls.client_ca signed.
 */
export function handshakeRefusal(
  socket: Pick<Socket<unknown>, "authorized">,
  isWhole: boolean,
  error: Error | null,
  wantsCertificate: boolean,
): string | undefined {
  if (isWhole) {
    if (!wantsCertificate || socket.authorized) return undefined;
    return `tls.client_ca does not vouch for its certificate: ${error?.message ?? "unknown"}`;
  }
  const name = ERROR_NAME.exec(error?.message ?? "")?.[1];
  if (name === undefined) return "";
  return REASONS[name] ?? `the TLS handshake failed: ${name.toLowerCase().replaceAll("_", " ")}`;
}

/** The first bytes of a TLS record that holds a handshake, of any version since 1.0. */
const [HANDSHAKE, MAJOR, CLIENT_HELLO] = [0x16, 0x03, 0x01];

/** Whether a client's first bytes are those of TLS; no request begins so. */
export function beginsTls(chunk: Uint8Array): boolean {
  return chunk[0] === HANDSHAKE && chunk[1] === MAJOR && chunk[5] === CLIENT_HELLO;
}
