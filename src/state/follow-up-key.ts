import { unreachable } from '../errors.ts';
import type { FollowUpRecord } from './records.ts';

export function followUpKey(kind: FollowUpRecord['kind'], id: string): string {
  return `${kind} ${id}`;
}

export function keyOfFollowUp(record: FollowUpRecord): string {
  return followUpKey(record.kind, subjectOf(record));
}

function subjectOf(record: FollowUpRecord): string {
  switch (record.kind) {
    case 'dependents':
    case 'children':
      return record.job;
    case 'members':
      return record.group;
    case 'scheduled':
      return record.schedule;
    case 'runner':
      return record.runner;
    default:
      return unreachable(record);
  }
}
