import type { WaitView } from '../../src/api/views.ts';
import { unreachable } from '../../src/errors.ts';

/** To be read behind "waiting". */
export function describeWait(wait: WaitView): string {
  switch (wait.why) {
    case 'dependencies':
      return `for the end of ${wait.missing.join(', ')}`;
    case 'notBefore':
      return `until ${wait.until}, as its spec says`;
    case 'backoff':
      return `until ${wait.until}, to be tried again`;
    case 'resourceGroup':
      return 'for its turn in its resource group';
    case 'group':
      return 'for its turn in its group';
    default:
      return unreachable(wait);
  }
}
