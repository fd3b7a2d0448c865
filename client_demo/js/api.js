/**
 * HTTP calls of the pages: bearer token, RFC 9457 refusals, idempotency keys. A refusal is a `Problem`; `Offline` means that
 * no answer came, so that it is unknown what happened: ask again with the same key.
 */

export class Problem extends Error {
  /** @param {number} status @param {any} body @param {number} retryAfterMs */
  constructor(status, body, retryAfterMs) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    /** @type {string} */
    this.code = body?.code ?? `http_${status}`;
    this.body = body ?? {};
    this.retryAfterMs = retryAfterMs;
  }
}

export class Offline extends Error {}

/** A fresh idempotency key. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Waits. @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Is it worth asking again with the same key? @param {unknown} error */
export const unanswered = (error) => error instanceof Offline || (error instanceof Problem && (error.status === 429 || error.status >= 500));

/** Runs `draw`-like storage access where storage may be forbidden. */
export const kept = {
  /** @param {string} key */
  get(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  },
  /** @param {string} key @param {string | null} value */
  set(key, value) {
    try {
      if (value === null) sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, value);
    } catch {
      // private mode: the page works, it only forgets on reload
    }
  },
};

export class Api {
  /**
   * @param {string} page name of the page: tokens are kept per page and show
   * @param {string} show
   * @param {{guests?: boolean}} [options] `guests`: mint a pseudonymous viewer when there is no token
   */
  constructor(page, show, { guests = false } = {}) {
    this.show = show;
    this.guests = guests;
    this.slot = `vendue:token:${page}:${show}`;
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      kept.set(this.slot, given);
      history.replaceState(null, "", location.pathname + location.search);
    }
    this.token = given ?? kept.get(this.slot);
    this.subject = "";
    /** @type {Promise<void> | null} */
    this.minting = null;
  }

  /** Has a token, minting a guest's where allowed. Where guests are closed the page goes on without one. */
  async ready() {
    if (this.token || !this.guests) return;
    this.minting ??= this.mint().finally(() => (this.minting = null));
    await this.minting;
  }

  async mint() {
    const { token, subject } = await this.request("POST", "/api/v1/guests", { body: {} });
    this.token = token;
    this.subject = subject;
    kept.set(this.slot, token);
  }

  /** Drops a token that is no longer taken; true when a new one can be had. */
  async renew() {
    if (!this.guests) return false;
    this.token = null;
    kept.set(this.slot, null);
    await this.ready();
    return Boolean(this.token);
  }

  /**
   * One call below the show ("/orders"), or anywhere ("/api/…"). Gives the decoded answer (null for none).
   * @param {string} method @param {string} path
   * @param {{body?: any, key?: string, headers?: Record<string, string>, timeoutMs?: number}} [options]
   * @returns {Promise<any>}
   */
  async call(method, path, options = {}) {
    await this.ready();
    const url = path.startsWith("/api/") ? path : `/api/v1/shows/${encodeURIComponent(this.show)}${path}`;
    try {
      return await this.request(method, url, options);
    } catch (error) {
      const stale = error instanceof Problem && error.status === 401 && this.guests;
      if (!stale || !(await this.renew())) throw error;
      return this.request(method, url, options);
    }
  }

  /** Authorization header, when there is a token. @returns {Record<string, string>} */
  bearer() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /** @param {string} method @param {string} url @param {{body?: any, key?: string, headers?: Record<string, string>, timeoutMs?: number}} options */
  async request(method, url, { body, key, headers = {}, timeoutMs = 15_000 }) {
    /** @type {Record<string, string>} */
    const sent = { ...this.bearer(), ...headers };
    if (body !== undefined) sent["Content-Type"] = "application/json";
    if (key) sent["Idempotency-Key"] = key;
    let response, answer;
    try {
      const init = { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(timeoutMs) };
      response = await fetch(url, init);
      answer = await response.text();
    } catch {
      throw new Offline();
    }
    let decoded = null;
    try {
      decoded = answer ? JSON.parse(answer) : null;
    } catch {
      if (response.ok) throw new Offline();
    }
    if (response.ok) return decoded;
    throw new Problem(response.status, decoded, Number(response.headers.get("Retry-After") ?? 0) * 1000);
  }
}
