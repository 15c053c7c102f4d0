import { runLoad, type LoadOrder } from './load.ts';

/** The load generator's process: takes orders from its parent and answers each with a result. */
process.on('message', (order: LoadOrder) => {
  runLoad(order).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
