/** Types of the pages' modules, for editors and readers; browsers never load this file. Times are ms, money is minor units. */

export interface Flash {
  id: string;
  sku: string;
  price_minor: number;
  price_version?: number;
  starts_sale_ms?: number | null;
  ends_sale_ms?: number | null;
  starts_at_ms?: number | null;
  ends_at_ms?: number | null;
  quantity_left?: number | null;
  per_viewer_max?: number | null;
  reference_price_minor?: number | null;
  /** When it comes in several windows: this is the n-th. */
  repeat?: { series: string; n: number; times: number; every_s: number } | null;
  /** Server time of the frame from which a viewer may see it. */
  visible_from_ms?: number;
}

export interface Product {
  sku: string;
  title: string;
  price_minor: number;
  list_price_minor: number;
  /** Lowest price of 30 days: the only one that may be struck through. */
  reference_price_minor: number | null;
  price_version: number;
  price_reason?: { rule: "list" | "flash" | "show_flash" | "campaign" | "lot"; id: string | null };
  /** Is it in the show's bag? */
  listed: boolean;
  left?: number | null;
  held?: number | null;
  sold?: number | null;
  /** Where the numbers are not shown: whether there is any, and roughly how many. */
  sold_out?: boolean;
  waiting?: number;
  bucket?: string | null;
  per_viewer_max?: number | null;
  flash: Flash | null;
  /** In the reduction of the whole show; null: not in it. */
  show_flash_price_minor?: number | null;
  /** In the campaign; null: not in it. */
  campaign_price_minor?: number | null;
  image_url?: string | null;
  commission_bps?: number;
  disclosure?: string | null;
  seller?: string | null;
  floor_minor?: number | null;
  cost_minor?: number | null;
  /** Seq of the log that the stock numbers reflect. */
  as_of: number;
}

export interface Lot {
  id: string;
  sku: string;
  state: "open" | "closed" | "cancelled";
  start_minor: number;
  /** The one who leads, or has won (a pid). */
  leader: string | null;
  price_minor: number | null;
  next_minor: number;
  bids: number;
  ends_sale_ms: number;
  latest_sale_ms: number;
  soft_close_ms: number;
  reason?: string;
}

export interface Order {
  id: string;
  show: string;
  sku: string;
  quantity: number;
  unit_price_minor: number;
  goods_minor: number;
  shipping_minor: number;
  tax_minor: number;
  total_minor: number;
  currency: string;
  state: "open" | "held" | "paying" | "paid" | "cancelled" | "expired" | "refund_due" | "refunded";
  expires_at_ms: number | null;
  expires_sale_ms?: number | null;
  remaining_ms: number | null;
  seq: number;
  lines?: { sku: string; quantity: number; unit_price_minor: number; flash?: string | null; waited?: number }[];
}

export interface Line {
  id: string;
  subject: string;
  name: string;
  text: string;
  ts: number;
  role?: string;
  bought?: boolean;
  deleted?: boolean;
}

/** Reduced prices between two instants of server time; `percent_off` null: each product says what it costs. */
export interface Campaign {
  id: string;
  title: string;
  percent_off: number | null;
  starts_at_ms: number;
  ends_at_ms: number;
  /** Server time of the frame from which a viewer may see it. */
  visible_from_ms?: number;
}

export interface Show {
  id: string;
  title: string;
  currency: string;
  owner: string;
  state: "scheduled" | "live" | "paused" | "ended";
  sales_paused: boolean;
  video_blanked: boolean;
  host_away: boolean;
  frozen: boolean;
  frozen_total_ms: number;
  frozen_since_ms: number;
  test_mode: boolean;
  campaign: Campaign | null;
  chat_mode: "all" | "buyers" | "emotes" | "off";
  slow_mode_s: number;
  starts_at_ms: number | null;
  reason?: string;
}

export interface State {
  show: Show;
  epoch: string;
  /** Seq of the newest public entry that is in the state. */
  last: number;
  pins: { sku: string | null; at_ms: number }[];
  skus: string[];
  products: Record<string, Product>;
  lots: Record<string, Lot>;
  draws: Record<string, any>;
  entered: Record<string, boolean>;
  orders: Record<string, Order>;
  places: Record<string, number | null>;
  chat: Line[];
  viewers: number | null;
  hearts: number;
  /** Ticks in a row whose head was ahead of `last`. */
  behind: number;
  /** The last moderation of somebody: staff hears of all, a viewer of its own. */
  aimed: Record<string, any> | null;
}

export interface Update {
  type: string;
  epoch?: string;
  seq?: number;
  prev?: number;
  as_of?: number;
  ts?: number;
  at_ms?: number;
  data: any;
}

/** What to do after an update: "loss" asks for what is missing. */
export type Verdict = "applied" | "duplicate" | "loss" | "ignored";

export interface FlashView {
  phase: "announced" | "running";
  paused: boolean;
  remaining_ms: number;
  /** Share of the window that is left, 0–1. */
  fraction: number;
  quantity_left: number | null;
}

export interface Offer {
  price_minor: number;
  was_minor: number | null;
  percent: number;
  flash: FlashView | null;
  own: FlashView | null;
  /** That which gives the price. */
  campaign: Campaign | null;
}
