/**
 * HTTP calls: bearer token, RFC 9457 refusals (`Problem`), idempotency keys. `Offline`: no answer came, so nobody knows what
 * happened; ask again with the same key.
 */

export class Problem extends Error {
  constructor(status, body, retryAfterMs) {
    super(body?.detail ?? body?.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = body?.code ?? `http_${status}`;
    this.body = body ?? {};
    this.retryAfterMs = retryAfterMs;
  }

  /** From a response and its text, whatever a proxy made of it. */
  static of(response, answer) {
    return new Problem(response.status, decoded(answer), Number(response.headers.get("Retry-After") ?? 0) * 1000);
  }
}

export class Offline extends Error {}

const decoded = (answer) => allowed(() => JSON.parse(answer));

/** A fresh idempotency key. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function allowed(use) {
  try {
    return use();
  } catch {
    return null;
  }
}

/** sessionStorage; where it is forbidden a page works and only forgets on reload. */
export const kept = {
  get: (key) => allowed(() => sessionStorage.getItem(key)),
  set: (key, value) => allowed(() => (value === null ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, value))),
};

export class Api {
  subject = "";
  minting = null;

  /** A token in the address (`#token=…`) is taken out of it and kept. `guests`: mint a viewer when there is none. */
  constructor(page, show, guests = false) {
    this.show = show;
    this.guests = guests;
    this.slot = `vendue:token:${page}:${show}`;
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      kept.set(this.slot, given);
      history.replaceState(null, "", location.pathname + location.search);
    }
    this.token = given ?? kept.get(this.slot);
  }

  async ready() {
    if (this.token || !this.guests) return;
    this.minting ??= this.mint().finally(() => (this.minting = null));
    await this.minting;
  }

  async mint() {
    const { token, subject } = await this.request("POST", "/api/v1/guests", { body: {} });
    Object.assign(this, { token, subject });
    kept.set(this.slot, token);
  }

  /** Drops a token that is no longer taken; true when there is a new one. */
  async renew() {
    if (!this.guests) return false;
    this.token = null;
    await this.ready();
    return true;
  }

  /** One call below the show ("/orders"), or anywhere ("/api/…"). Gives the decoded answer, null for none. */
  async call(method, path, options = {}) {
    await this.ready();
    const url = path.startsWith("/api/") ? path : `/api/v1/shows/${encodeURIComponent(this.show)}${path}`;
    try {
      return await this.request(method, url, options);
    } catch (error) {
      if (error.status !== 401 || !(await this.renew())) throw error;
      return this.request(method, url, options);
    }
  }

  bearer() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  async request(method, url, { body, key, headers = {}, timeoutMs = 15_000 }) {
    const sent = { ...this.bearer(), ...headers };
    if (body !== undefined) sent["Content-Type"] = "application/json";
    if (key) sent["Idempotency-Key"] = key;
    let response, answer;
    try {
      response = await fetch(url, { method, headers: sent, body: body && JSON.stringify(body), signal: AbortSignal.timeout(timeoutMs) });
      answer = await response.text();
    } catch {
      throw new Offline();
    }
    if (!response.ok) throw Problem.of(response, answer);
    return decoded(answer);
  }
}
