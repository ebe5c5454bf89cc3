/** One made-up secret per format, in the surroundings it is met in. */
export interface SecretCase {
  readonly format: string;
  readonly text: string;
  readonly redacted: string;
}

const mixed = (length: number): string => "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0".slice(0, length);

const around = (format: string, before: string, secret: string, after: string): SecretCase => ({
  format,
  text: before + secret + after,
  redacted: `${before}[REDACTED]${after}`,
});

const pem = (kind: string, lineBreak: string): SecretCase =>
  around(
    `a PEM ${kind} with ${JSON.stringify(lineBreak)}`,
    `x -----BEGIN ${kind}-----${lineBreak}`,
    [mixed(32), mixed(32), "c2hvcnQ=", ""].join(lineBreak),
    `-----END ${kind}-----${lineBreak}`,
  );

export const secretCases: readonly SecretCase[] = [
  pem("RSA PRIVATE KEY", "\n"),
  pem("PRIVATE KEY", "\r\n"),
  pem("OPENSSH PRIVATE KEY", "\\n"),
  pem("EC PRIVATE KEY", "\\\\n"),
  pem("PGP PRIVATE KEY BLOCK", "\n"),
  around(
    "an encrypted PEM key with headers",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    `Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,3F17F5316E2BAC89\n\n${mixed(32)}\n`,
    "-----END RSA PRIVATE KEY-----\n",
  ),
  around("a short PEM key", "-----BEGIN PRIVATE KEY-----\n", "c2hvcnQ=\n", "-----END PRIVATE KEY-----"),
  around("a Bearer header", "Authorization: Bearer ", "abc.def-123~x", "\r\nAccept: */*"),
  around("a Basic header in JSON", '{"authorization":"Basic ', "dXNlcjpwYXNz", '","a":1}'),
  around("a Bearer header in curl", "curl -H 'Authorization: Bearer ", mixed(30), "' http://x/"),
  around("a header of escaped JSON", '{\\"Authorization\\": \\"Bearer ', mixed(30), '\\"}'),
  around("a Cookie header", "Cookie: ", "sid=abc123; theme=dark", "\r\n"),
  around("a Set-Cookie header", "set-cookie: ", "session=x1; Path=/; HttpOnly", "\n"),
  around("a Cookie header in curl", 'curl -H "Cookie: ', "sid=abc123", '" x'),
  around("an Anthropic key", "key ", `sk-ant-api03-${mixed(40)}_x-y`, " end"),
  around("an OpenAI project key", "(", `sk-proj-${mixed(40)}`, ")"),
  around("an OpenAI key", "", `sk-${mixed(40)}`, ", next"),
  around("a key of letters only", "", "sk-abcdefghijklmnopqrstuvwx", "\n"),
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_"].map((prefix) =>
    around(`a GitHub ${prefix} token`, "https://", prefix + mixed(36), "@github.com/a/b"),
  ),
  around("a fine-grained GitHub token", "token ", `github_pat_${mixed(22)}_${mixed(30)}`, "\n"),
  around("an AWS access key id", "id: ", "AKIAIOSFODNN7EXAMPLE", "\n"),
  around("a temporary AWS access key id", "id=", "ASIAIOSFODNN7EXAMPLE", '"'),
  around("an AWS secret key", "aws_secret_access_key = ", "wJalrXUtnFEMIaK7MDENGabPxRfiCYEXAMPLEKEY", "\n"),
  around(
    "an AWS secret key of letters",
    "AWS_SECRET_ACCESS_KEY=",
    "wJalrXUtnFEMI/KxMDENG/bPxRfiCYEXAMPLEKEY",
    "\n",
  ),
  around("a Google key", "?x=", `AIza${mixed(31)}-_-4`, "&b"),
  around("a Slack token", "", "xoxb-123456789012-abcdefGHIJ", "\n"),
  around("a Stripe key", "", `sk_live_${mixed(24)}`, "'"),
  around("a restricted Stripe key", "", `rk_live_${mixed(24)}`, "'"),
  around("an npm token", "", `npm_${mixed(36)}`, "\n"),
  around("a GitLab token", "", `glpat-${mixed(20)}`, "\n"),
  around("a Hugging Face token", "", `hf_${mixed(34)}`, "\n"),
  around("a JWT", "got ", `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${mixed(30)}`, ". Done"),
  around("a password in an address", "postgres://user:", "hunter", "@host:5432/db"),
  around("a password without a user", "redis://:", "p%40ss:word", "@host"),
  around("a query parameter", "GET /x?token=", "abcdef12345", "&page=2"),
  around("a later query parameter", "/x?a=1&access_token=", "abc-def-ghi", " HTTP/1.1"),
  around("a query key", "/x?key=", "AbCdEf1234", "#top"),
  around("an environment line", "export API_KEY=", "abcdef123456", "; run"),
  around("an environment line in quotes", "GITHUB_TOKEN='", "zzz111yyy222", "'"),
  around("a JSON value", '{"client_secret": "', "s3cr3t/v4lu3+x", '"}'),
  around("an escaped JSON value", '{\\"access_token\\":\\"', "abc123def456", '\\",\\"a\\":1}'),
  around("a YAML value", "  password: ", "hunter2hunter2", "\n  user: me\n"),
  around("a password with signs", "DB_PASSWORD=", "S3cur3P4ss!", "\n"),
  around("a quoted password without a digit", 'passwd: "', "Correct#Horse", '"'),
  around("a string in code", "const apiKey = '", "abcd1234efgh", "';"),
  around("a JSON value with escapes", '{"api_key": "', 'abc123de\\/fgh\\"456', '", "b": 1}'),
  around("a value beyond ASCII", 'password: "', "pä55wörd-x9", '"'),
  around("a Go assignment", 'refreshToken := "', "abcd1234efgh", '"'),
  around("a hash in Ruby", '"private_key" => "', "abcd1234efgh", '"'),
  around("a header with a key", "x-api-key: ", "0123456789abcdef0123456789abcdef", "\n"),
  around("an npmrc line", "//npm.example.com/:_authToken=", "abc123def456ghi", "\n"),
  around("a coloured label", "\x1b[32mapi_key\x1b[0m: \x1b[33m", "abc123def456", "\x1b[0m"),
  around("a coloured token", "\x1b[31m", `ghp_${mixed(36)}`, "\x1b[0m"),
  around("a token after an escaped line break", '"line\\n', `ghp_${mixed(36)}`, '\\n"'),
];

/** Text that speaks of secrets and has none. */
export const innocentText = `
import { getToken, type Secret } from "./auth/token-2.ts";
// password: must be long; secret: never log it. Cookie: a small file. Authorization: Bearer tokens are opaque.
interface Login { password: string; secret: string; token?: string; apiKey: string | undefined; }
const schema = z.object({ password: z.string().min(12), token: z.string(), api_key: z.uuid() });
const token = getToken();
const token2 = await session2.getToken(oauth2Client);
const apiKey = config.apiKey ?? process.env.API_KEY;
const secret = sha256Secret; let password = user1Password, privateKey = ed25519PrivateKey;
this.accessToken = accessTokenFromOAuth2; token: "[REDACTED]", password: "<password>", secret: "\${SECRET_1}",
const headers = { Authorization: \`Bearer \${token1}\`, Cookie: \`sid=\${sid}\`, "x-api-key": env.KEY_1 };
if (token === undefined || password == null) throw new Error("password: " + reason + " token=" + tokens[0]);
client = Client(api_key=os.environ["OPENAI_API_KEY_2"], token=load_token_v2(), secret=secret_v2)
curl -H "Authorization: Bearer $TOKEN_1" -H 'Authorization: Bearer <token>' "https://api/x?token=$TOKEN&key=name"
API_KEY=your-api-key-here1 PASSWORD=changeme1 TOKEN=xxxxxxxxxxxx1 SECRET=\${{ secrets.DEPLOY_KEY_1 }} MAX_TOKENS=4096
DB_PASSWORD=\${DB_PASSWORD} TOKEN_FILE=/run/secrets/token1 SSH_KEY=~/.ssh/id_ed25519 SECRET=./secrets/db2.txt
primary_key: user12345678 monkey: abc123def456 cacheKey: "node-cache-linux-3f2a9c1b7d" public_key: "abcd1234efgh5678"
"integrity": "sha512-8i9J0k1L2m3N4o5P6q7R8s9T0AbCdEfGhIjKlMnOpQrStUvWxYz0123456789/+AbCdEfGhIjKlMnOpQrStUvWx==",
commit 9fceb02d0ae598e95dc970b74767f19372d61af8 550e8400-e29b-41d4-a716-446655440000 at 2026-01-02T12:34:56.789Z
sk-learn-compatible-estimator-names task-1234567890abcdefghij disk-abcdefghijklmnopqrstuvwxyz npm_config_registry
http://localhost:8080/path git@github.com:a/b.git https://host:443/@scope/name file:///home/me/a1b2c3d4/x.ts
"token": 12345678, "tokens": {"input": 1200}, token_count=99 next_page_token: "abc123def456" key: abc123def456
if (pem.startsWith("-----BEGIN PRIVATE KEY-----")) return importPrivateKeyFromPemEncodedText(pem);
const pem = "-----BEGIN PRIVATE KEY-----\\n" + body + "\\n-----END PRIVATE KEY-----"; AI-generated AKI ASI eyJust
def login(user: str, password: str = "", token: Optional[str] = None) -> Token: ... std::string token::value1234x
--help  --token <token>  --api-key KEY   password: ********  password: (hidden)  secret: |  tokenizer: bert-base-2
`;
