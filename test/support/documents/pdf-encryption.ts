/** Encrypts PDF documents for tests, as ISO 32000 describes it for revision 2: RC4 with keys of 40 bits. */
import { Buffer } from "node:buffer";
import { hash } from "node:crypto";

/** Passwords of a document: the user's is needed to read it, the owner's to change it. */
export interface PdfPasswords {
  readonly user: string;
  readonly owner: string;
}

const padding = Buffer.from("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a", "hex");
const id = Buffer.alloc(16, 7);
const permissions = -4;
const keyBytes = 5;

/** Encrypts what a document holds. */
export class PdfEncryption {
  readonly #key: Buffer;
  readonly #owner: Buffer;

  constructor({ user, owner }: PdfPasswords) {
    this.#owner = encrypt(toDigest(pad(owner)).subarray(0, keyBytes), pad(user));
    const allowed = Buffer.alloc(4);
    allowed.writeInt32LE(permissions);
    const parts = Buffer.concat([pad(user), this.#owner, allowed, id]);
    this.#key = toDigest(parts).subarray(0, keyBytes);
  }

  /** Returns the bytes of a stream in the object with this number. */
  encrypt(objectNumber: number, bytes: Buffer): Buffer {
    const numbers = Buffer.alloc(5);
    numbers.writeUIntLE(objectNumber, 0, 3);
    const key = toDigest(Buffer.concat([this.#key, numbers]));
    return encrypt(key.subarray(0, keyBytes + 5), bytes);
  }

  /** The entries of the trailer. */
  get trailer(): string {
    const user = encrypt(this.#key, padding).toString("hex");
    const owner = this.#owner.toString("hex");
    const name = id.toString("hex");
    return `/Encrypt << /Filter /Standard /V 1 /R 2 /P ${permissions} /O <${owner}> /U <${user}> >> /ID [<${name}> <${name}>]`;
  }
}

function pad(password: string): Buffer {
  return Buffer.concat([Buffer.from(password, "latin1"), padding]).subarray(0, padding.length);
}

function toDigest(bytes: Buffer): Buffer {
  return hash("md5", bytes, "buffer");
}

/** RC4. */
function encrypt(key: Buffer, bytes: Buffer): Buffer {
  const state = Uint8Array.from({ length: 256 }, (_, index) => index);
  const swap = (a: number, b: number): number => {
    const [first = 0, second = 0] = [state[a], state[b]];
    state[a] = second;
    state[b] = first;
    return (first + second) & 255;
  };
  for (let index = 0, other = 0; index < 256; index += 1) {
    other = (other + (state[index] ?? 0) + (key[index % key.length] ?? 0)) & 255;
    swap(index, other);
  }
  let first = 0;
  let second = 0;
  return Buffer.from(
    bytes.map((byte) => {
      first = (first + 1) & 255;
      second = (second + (state[first] ?? 0)) & 255;
      return byte ^ (state[swap(first, second)] ?? 0);
    }),
  );
}
