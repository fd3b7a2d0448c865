/**
 * Vendure as one would run it behind a shop: PostgreSQL, stock tracked, no logging. Two tracked products are made at the start: STOCK mugs, and vases in plenty.
 * node shop.cjs PORT SOCKET_DIRECTORY STOCK; prints "ready" when it serves. Its payment handler says yes at once, as our `tok_ok` does.
 */
const { writeFileSync } = require("node:fs");
const { DefaultLogger, LogLevel, LanguageCode, PaymentMethodHandler, bootstrap } = require("@vendure/core");
const { populate } = require("@vendure/core/cli");

const [port, host, stock] = process.argv.slice(2);
const yes = new PaymentMethodHandler({
  code: "yes",
  description: [{ languageCode: LanguageCode.en, value: "Says yes" }],
  args: {},
  createPayment: (_ctx, _order, amount) => ({ amount, state: "Settled", transactionId: "t", metadata: {} }),
  settlePayment: () => ({ success: true }),
});
const config = {
  apiOptions: { port: Number(port), hostname: "127.0.0.1", adminApiPath: "admin-api", shopApiPath: "shop-api" },
  authOptions: { tokenMethod: "bearer", requireVerification: false, superadminCredentials: { identifier: "admin", password: "admin-of-a-benchmark" } },
  dbConnectionOptions: { type: "postgres", host, port: 5432, username: "postgres", database: "postgres", synchronize: true, logging: false, extra: { max: 32 } },
  paymentOptions: { paymentMethodHandlers: [yes] },
  logger: new DefaultLogger({ level: LogLevel.Error, timestamp: false }),
  plugins: [],
};
const initial = {
  defaultLanguage: LanguageCode.en, defaultZone: "Europe", roles: [],
  countries: [{ name: "Germany", code: "DE", zone: "Europe" }],
  taxRates: [{ name: "Standard", percentage: 0 }],
  shippingMethods: [{ name: "Post", price: 0 }],
  paymentMethods: [{ name: "Yes", handler: { code: "yes", arguments: [] } }],
  collections: [],
};
const product = "name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets\n"
  + `Mug,mug,A mug,,,,,mug,36.00,standard,${stock},true,,\nVase,vase,A vase,,,,,vase,36.00,standard,100000,true,,\n`;

async function main() {
  writeFileSync("products.csv", product);
  const filled = await populate(() => bootstrap(config), initial, "products.csv");
  await filled.close();
  await bootstrap({ ...config, dbConnectionOptions: { ...config.dbConnectionOptions, synchronize: false } });
  console.log("ready");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
