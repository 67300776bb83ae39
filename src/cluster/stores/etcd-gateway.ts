/**
 * The members of an etcd behind the JSON gateway of its version 3 (etcd.io, "gRPC gateway"): which of
 * them is asked, the log-in, and what is asked of another one when one fails.
 */

import type { EtcdOptions } from "./etcd-url.ts";
import { messageIn, wasUnheard, whyHttp, whyRefused } from "./failures.ts";
import { LeaseStoreUnavailable } from "./store.ts";

/** How long one member may take to answer before another one is asked. */
const TRY_MS = 700;
/** How long after the end of a watch it is begun again. */
const WATCH_AGAIN_MS = 1000;

export class EtcdGateway {
  /** Called when a member failed to answer: the next one is asked from then on. */
  onMemberFailed: () => void = () => {};
  private readonly options: EtcdOptions;
  /** The index of the endpoint that answered last, or is tried next. */
  private present = 0;
  /** The member's Unix time at the last answer, in milliseconds; NaN if it did not tell. */
  answeredAtMs = Number.NaN;
  private token: string | undefined;
  private readonly watching = new AbortController();

  constructor(options: EtcdOptions) {
    this.options = options;
  }

  /** The member that answered last, or is tried next. */
  get endpoint(): string {
    const { endpoints } = this.options;
    return endpoints[this.present % endpoints.length]!;
  }

  /** Ends all watches. */
  close(): void {
    this.watching.abort();
  }

  /** Calls back after each change of a key (in base64), until close(). */
  async watch(key: string, onChange: () => void): Promise<void> {
    const body = JSON.stringify({ create_request: { key } });
    const { signal } = this.watching;
    while (!signal.aborted) {
      try {
        const response = await fetch(`${this.endpoint}/v3/watch`, {
          ...this.request(body),
          signal,
        });
        // The first piece confirms the watch, before which changes may have been missed; each other
        // one is a change.
        for await (const _piece of response.body ?? []) onChange();
      } catch {
        // Tried again below; until then the node polls.
      }
      if (!signal.aborted) await Bun.sleep(WATCH_AGAIN_MS);
    }
  }

  private request(body: string): RequestInit {
    const { tls } = this.options;
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.token !== undefined) headers.authorization = this.token;
    return { method: "POST", body, headers, ...(tls === undefined ? {} : { tls }) } as RequestInit;
  }

  /**
   * Asks one member after the other. A request that is not `isRepeatable` goes to another member
   * only if the first one cannot have received it. Throws LeaseStoreUnavailable.
   */
  async ask<Answer>(path: string, body: object, isRepeatable: boolean): Promise<Answer> {
    const { endpoints, user } = this.options;
    const reasons = new Set<string>();
    let hasLoggedInAgain = false;
    for (let tries = 0; tries < endpoints.length; tries++) {
      const { endpoint } = this;
      try {
        if (user !== undefined && this.token === undefined) await this.logIn(endpoint);
        return await this.post(endpoint + path, body);
      } catch (error) {
        if (error instanceof Refused) {
          // Tokens expire, and a member that was restarted knows none.
          const isToken = /auth token|revision of auth store/.test(error.message);
          if (isToken && !hasLoggedInAgain) {
            // The same member once more: it refused the request, so nothing was done.
            hasLoggedInAgain = true;
            this.token = undefined;
            tries--;
            continue;
          }
          if (!error.mayPass) throw error;
        }
        reasons.add(whyHttp(error, placeOf(endpoint), TRY_MS));
        // Another request may have gone on to the next member meanwhile.
        if (endpoint === this.endpoint) this.present++;
        this.onMemberFailed();
        if (!wasUnheard(error) && !isRepeatable) break;
      }
    }
    throw new LeaseStoreUnavailable([...reasons].join("; "));
  }

  private async logIn(endpoint: string): Promise<void> {
    const path = `${endpoint}/v3/auth/authenticate`;
    const { token } = await this.post<{ token?: string }>(path, this.options.user!);
    this.token = token;
  }

  private async post<Answer>(url: string, body: object): Promise<Answer> {
    const response = await fetch(url, {
      ...this.request(JSON.stringify(body)),
      redirect: "manual",
      signal: AbortSignal.timeout(TRY_MS),
    });
    this.answeredAtMs = Date.parse(response.headers.get("date") ?? "");
    const text = await response.text();
    const answer = response.ok ? answerIn(text) : undefined;
    if (answer !== undefined) return answer as Answer;
    throw new Refused(text, response.status, placeOf(url));
  }
}

/** The host:port of a URL. */
const placeOf = (url: string) => url.split("/")[2]!;

/** What an etcd answered, which has a header; undefined for anything else. */
function answerIn(text: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    const isObject = typeof answer === "object" && answer !== null;
    return isObject && "header" in answer ? answer : undefined;
  } catch {
    return undefined;
  }
}

/** A member answered, with an error; or what answered is no etcd. */
class Refused extends LeaseStoreUnavailable {
  /** Whether another member may succeed: this one has no leader, is unhealthy, or is no etcd. */
  readonly mayPass: boolean;

  constructor(text: string, status: number, place: string) {
    const said = messageIn(text);
    super(whyRefused(said, status, place));
    this.mayPass = status >= 500 || said === undefined;
  }
}
