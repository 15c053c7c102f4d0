import { Packr } from 'msgpackr';
import type { StateTable, StateTables } from '../../src/state/records.ts';

const packr = new Packr({ useRecords: false });

export function encodeRecord<Table extends StateTable>(_table: Table, value: StateTables[Table]): Uint8Array {
  return packr.pack(value);
}

export function decodeRecord<Table extends StateTable>(_table: Table, bytes: Uint8Array): StateTables[Table] {
  return packr.unpack(bytes) as StateTables[Table];
}
