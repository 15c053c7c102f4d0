/** Small binary records: numbers as 8 bytes, texts behind their length, all little endian. */
export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(expectedBytes: number) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#at = this.#bytes.writeUInt8(value, this.#at);
    return this;
  }

  /** Exact for integers up to 2^53. */
  number(value: number): this {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleLE(value, this.#at);
    return this;
  }

  flag(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  text(value: string): this {
    const length = Buffer.byteLength(value);
    this.#reserve(2 + length);
    this.#at = this.#bytes.writeUInt16LE(length, this.#at);
    this.#at += this.#bytes.write(value, this.#at);
    return this;
  }

  texts(values: readonly string[]): this {
    this.#reserve(2);
    this.#at = this.#bytes.writeUInt16LE(values.length, this.#at);
    for (const value of values) this.text(value);
    return this;
  }

  /** Takes the rest of the record. */
  rest(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + bytes));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** What is read past the end, or is not what the place calls for. Caught by the codec that uses the reader. */
export class MalformedRecord extends Error {
  override readonly name = 'MalformedRecord';
}

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  /** Only what counts: an integer from 0 to 2^53 - 1. */
  number(): number {
    const value = this.#bytes.readDoubleLE(this.#take(8));
    if (!Number.isSafeInteger(value) || value < 0) throw new MalformedRecord('not a count');
    return value;
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) throw new MalformedRecord('not a flag');
    return value === 1;
  }

  text(): string {
    const length = this.#bytes.readUInt16LE(this.#take(2));
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  texts(): string[] {
    const count = this.#bytes.readUInt16LE(this.#take(2));
    if (count * 2 > this.#bytes.length - this.#at) throw new MalformedRecord('cut short');
    return Array.from({ length: count }, () => this.text());
  }

  /** A view, not a copy. */
  rest(): Uint8Array {
    const start = this.#at;
    this.#at = this.#bytes.length;
    return this.#bytes.subarray(start);
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw new MalformedRecord('bytes behind the end');
  }

  #take(bytes: number): number {
    const start = this.#at;
    if (start + bytes > this.#bytes.length) throw new MalformedRecord('cut short');
    this.#at = start + bytes;
    return start;
  }
}
