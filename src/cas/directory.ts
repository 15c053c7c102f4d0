import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { Rejection } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { blobName, type Digest, type DigestFunction } from './digest.ts';

/**
 * One folder of a tree, as the message `Directory` of Bazel's Remote Execution API 2.0: its bytes are a blob, named by
 * their digest, and the tree is named by that of its root. Names of one folder are unique and in the order of their
 * UTF-8, and defaults are not written, so that equal folders have equal bytes.
 */
export interface Directory {
  readonly files: readonly FileNode[];
  readonly directories: readonly DirectoryNode[];
  readonly symlinks: readonly SymlinkNode[];
}

export interface FileNode {
  readonly name: string;
  readonly digest: Digest;
  readonly executable: boolean;
  /** Permission bits, where they say more than `executable`: other than 0644 and 0755. */
  readonly mode: number | null;
}

export interface DirectoryNode {
  readonly name: string;
  readonly digest: Digest;
}

export interface SymlinkNode {
  readonly name: string;
  /** As it was written; where it leads is not looked at. */
  readonly target: string;
}

export const EMPTY_DIRECTORY: Directory = { files: [], directories: [], symlinks: [] };

const utf8 = new TextEncoder();

/** Field numbers of build.bazel.remote.execution.v2. */
const DIRECTORY = { files: 1, directories: 2, symlinks: 3, nodeProperties: 5 } as const;
const FILE = { name: 1, digest: 2, executable: 4, nodeProperties: 6 } as const;
const NODE = { name: 1, digest: 2 } as const;
const SYMLINK = { name: 1, target: 2, nodeProperties: 4 } as const;
const DIGEST = { hash: 1, size: 2 } as const;
const PROPERTIES = { unixMode: 3 } as const;
const UINT32_VALUE = { value: 1 } as const;

/** @param directory with names that `checkName` takes, each once; in any order */
export function encodeDirectory({ files, directories, symlinks }: Directory): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  for (const file of inOrder(files)) {
    writer.tag(DIRECTORY.files, WireType.LengthDelimited).fork();
    writer.tag(FILE.name, WireType.LengthDelimited).string(file.name);
    writeDigest(writer, FILE.digest, file.digest);
    if (file.executable) writer.tag(FILE.executable, WireType.Varint).bool(true);
    if (file.mode !== null) writeMode(writer, file.mode);
    writer.join();
  }
  for (const directory of inOrder(directories)) {
    writer.tag(DIRECTORY.directories, WireType.LengthDelimited).fork();
    writer.tag(NODE.name, WireType.LengthDelimited).string(directory.name);
    writeDigest(writer, NODE.digest, directory.digest);
    writer.join();
  }
  for (const symlink of inOrder(symlinks)) {
    writer.tag(DIRECTORY.symlinks, WireType.LengthDelimited).fork();
    writer.tag(SYMLINK.name, WireType.LengthDelimited).string(symlink.name);
    writer.tag(SYMLINK.target, WireType.LengthDelimited).string(symlink.target);
    writer.join();
  }
  return writer.finish();
}

/**
 * @param digestFunction that of the tree: the message does not tell it
 * @throws Rejection `invalidTree` for bytes that are no such message, and for names and digests that no tree may have
 */
export function decodeDirectory(bytes: Uint8Array, digestFunction: DigestFunction): Directory {
  const files: FileNode[] = [];
  const directories: DirectoryNode[] = [];
  const symlinks: SymlinkNode[] = [];
  readFields(bytes, (field, reader) => {
    if (field === DIRECTORY.files) files.push(readFile(reader.bytes(), digestFunction));
    else if (field === DIRECTORY.directories) directories.push(readDirectoryNode(reader.bytes(), digestFunction));
    else if (field === DIRECTORY.symlinks) symlinks.push(readSymlink(reader.bytes()));
    else return false;
    return true;
  });
  for (const nodes of [files, directories, symlinks]) expectOrder(nodes);
  expectUnique([...files, ...directories, ...symlinks]);
  return { files, directories, symlinks };
}

/** @throws Rejection `invalidTree` unless it can be the name of one thing in a folder */
export function checkName(name: string): void {
  const isPart = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
  if (isPart && name.isWellFormed() && utf8.encode(name).length <= LIMITS.treeNameBytes) return;
  throw invalid(`${JSON.stringify(name.slice(0, 80))} cannot be a name in a folder`);
}

/** In the order of code points, which is that of their UTF-8. */
export function compareNames(one: string, other: string): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at += 1) {
    const a = one.charCodeAt(at);
    const b = other.charCodeAt(at);
    if (a !== b) return rankOfUnit(a) - rankOfUnit(b);
  }
  return one.length - other.length;
}

/** Halves of surrogate pairs stand for code points above all that one unit has. */
function rankOfUnit(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function inOrder<Node extends { readonly name: string }>(nodes: readonly Node[]): readonly Node[] {
  return nodes.toSorted((a, b) => compareNames(a.name, b.name));
}

function writeDigest(writer: BinaryWriter, field: number, { hash, size }: Digest): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  writer.tag(DIGEST.hash, WireType.LengthDelimited).string(hash);
  if (size !== 0) writer.tag(DIGEST.size, WireType.Varint).int64(size);
  writer.join();
}

function writeMode(writer: BinaryWriter, mode: number): void {
  writer.tag(FILE.nodeProperties, WireType.LengthDelimited).fork();
  writer.tag(PROPERTIES.unixMode, WireType.LengthDelimited).fork();
  if (mode !== 0) writer.tag(UINT32_VALUE.value, WireType.Varint).uint32(mode);
  writer.join().join();
}

function readFile(bytes: Uint8Array, digestFunction: DigestFunction): FileNode {
  let name = '';
  let digest: Digest | null = null;
  let executable = false;
  let mode: number | null = null;
  readFields(bytes, (field, reader) => {
    if (field === FILE.name) name = reader.string(true);
    else if (field === FILE.digest) digest = readDigest(reader.bytes(), digestFunction);
    else if (field === FILE.executable) executable = reader.bool();
    else if (field === FILE.nodeProperties) mode = readMode(reader.bytes());
    else return false;
    return true;
  });
  checkName(name);
  return { name, digest: expectDigest(digest, name), executable, mode };
}

function readDirectoryNode(bytes: Uint8Array, digestFunction: DigestFunction): DirectoryNode {
  let name = '';
  let digest: Digest | null = null;
  readFields(bytes, (field, reader) => {
    if (field === NODE.name) name = reader.string(true);
    else if (field === NODE.digest) digest = readDigest(reader.bytes(), digestFunction);
    else return false;
    return true;
  });
  checkName(name);
  return { name, digest: expectDigest(digest, name) };
}

function readSymlink(bytes: Uint8Array): SymlinkNode {
  let name = '';
  let target = '';
  readFields(bytes, (field, reader) => {
    if (field === SYMLINK.name) name = reader.string(true);
    else if (field === SYMLINK.target) target = reader.string(true);
    else return false;
    return true;
  });
  checkName(name);
  if (target === '' || target.includes('\0') || utf8.encode(target).length > LIMITS.treeTargetBytes) {
    throw invalid(`the symbolic link ${name} has no target that a system takes`);
  }
  return { name, target };
}

function readDigest(bytes: Uint8Array, digestFunction: DigestFunction): Digest {
  let hash = '';
  let size = 0;
  readFields(bytes, (field, reader) => {
    if (field === DIGEST.hash) hash = reader.string(true);
    else if (field === DIGEST.size) size = Number(reader.int64());
    else return false;
    return true;
  });
  if (!Number.isSafeInteger(size) || size < 0) throw invalid(`a blob cannot have ${size} bytes`);
  try {
    return { ...blobName(digestFunction, hash), size };
  } catch (error) {
    throw error instanceof Rejection ? invalid(error.message) : error;
  }
}

function readMode(bytes: Uint8Array): number | null {
  let mode: number | null = null;
  readFields(bytes, (field, reader) => {
    if (field !== PROPERTIES.unixMode) return false;
    mode = 0;
    readFields(reader.bytes(), (inner, value) => {
      if (inner === UINT32_VALUE.value) mode = value.uint32() & 0o777;
      return inner === UINT32_VALUE.value;
    });
    return true;
  });
  return mode;
}

/** @param take reads one field, or answers false for one that it does not know, which is passed over */
function readFields(bytes: Uint8Array, take: (field: number, reader: BinaryReader) => boolean): void {
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (!take(field, reader)) reader.skip(type, field);
    }
  } catch (error) {
    if (error instanceof Rejection) throw error;
    throw invalid('a folder of the tree is not the message Directory');
  }
}

function expectDigest(digest: Digest | null, name: string): Digest {
  if (digest === null) throw invalid(`${name} has no digest`);
  return digest;
}

function expectOrder(nodes: readonly { readonly name: string }[]): void {
  for (let at = 1; at < nodes.length; at += 1) {
    const [before, node] = [nodes[at - 1], nodes[at]];
    if (before === undefined || node === undefined || compareNames(before.name, node.name) < 0) continue;
    throw invalid(`the names of a folder are not in order: ${before.name}, ${node.name}`);
  }
}

function expectUnique(nodes: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of nodes) {
    if (names.has(name)) throw invalid(`a folder has two things of the name ${name}`);
    names.add(name);
  }
}

export function invalid(message: string): Rejection {
  return new Rejection('invalidTree', message);
}
