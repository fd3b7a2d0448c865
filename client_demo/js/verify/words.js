/** What the proof page says. Short, plain, present tense. */

export const VERDICTS = {
  holds: { title: "This purchase is in the sealed log", body: (at) => `Your browser checked it. Nobody has changed a byte since the server sealed it at ${at}.`, icon: "check", tone: "ok" },
  partly: { title: "What could be checked holds", body: () => "Your browser cannot check everything. See below what is missing, and how to check it elsewhere.", icon: "alert", tone: "warn" },
  broken: { title: "This proof does not hold", body: () => "What the server shows is not what was sealed. Do not rely on it; keep a copy and ask the seller.", icon: "x", tone: "bad" },
  waiting: { title: "Waiting for the seal", body: () => "The entry is in the log. The server seals once a second.", icon: "", tone: "" },
};

/** What is checked: as a fact, why it matters, and what stands in the way where it cannot be checked. */
export const CHECKS = {
  order: ["It is this order", "The entry names this order and this show, with the amounts above."],
  hash: ["The entry is what was sealed", "Its hash, over these very bytes and everything before them, is the one in the seal. One other byte, and it would not be.", "Hashing in a page needs https. Open this page over https, or use the command below."],
  place: ["The seal covers it", "The seal is of this show, and this entry is under it: it fits one place in one log."],
  signature: ["The seal is signed by this server", "Ed25519, with the key that the server publishes. Whoever kept that key can tell another one from it.", "This browser does not know Ed25519 signatures. A newer one does, or the command below."],
  fair: ["Nobody was charged more than they saw", "The unit price is not above the price that the buyer’s page showed. The log keeps both."],
};

/** A state of an order: tone of its tag, and word. */
export const STATES = {
  held: ["info", "Held"], paying: ["info", "Paying"], paid: ["ok", "Paid"], cancelled: ["", "Given back"], expired: ["", "Hold ended"],
  refund_due: ["warn", "Refund on its way"], refunded: ["", "Refunded"],
};

/** In place of the state, where the proof does not hold. */
export const UNPROVEN = "Not proven";

const REFUSED = {
  unknown_order: { title: "No such order", body: "The address names an order that this show does not have. Nothing is said about any other." },
  unknown_show: { title: "No such show", body: "It may have been removed." },
  forbidden: { title: "Not before the show has ended", body: "This proof would tell how many are left, and the seller does not show that during the show." },
  archive_unavailable: { title: "In the archive", body: "The server cannot read its archive at the moment. Trying again." },
};

/** Why there is no proof to check. */
export const refused = (error) => REFUSED[error.code] ?? { title: "No answer", body: "The server does not answer. Trying again." };
