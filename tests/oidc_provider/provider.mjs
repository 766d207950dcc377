// An identity provider on this machine. Arguments: client id, client secret, redirect URI, and what each account's claim
// `roles` holds, as JSON. Prints its issuer. Any password opens an account.
import { createServer } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { Provider } from "oidc-provider";

const [clientId, secret, redirectUri, roles] = process.argv.slice(2);
const accounts = JSON.parse(roles);
const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: clientId, client_secret: secret, redirect_uris: [redirectUri] }],
    claims: { openid: ["sub", "roles"], profile: ["preferred_username"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ["only of a test"] },
    jwks: { keys: [{ ...key, kid: "test", use: "sig", alg: "RS256" }] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: `${id}@example.com`, roles: accounts[id] }),
    }),
  });
  server.on("request", provider.callback());
  console.log(issuer);
});
