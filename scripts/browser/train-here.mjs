// Runs under Node, Deno or Bun, beside train.mjs in a project that has installed the packages: trains on each row given, and
// writes a checkpoint to a file and reads it.
import { readCheckpoint, saveCheckpoint } from '@dl/train';
import { train } from './train.mjs';

for (const row of process.argv.slice(2)) {
  const { losses, describe } = await train(row);
  console.log(`${row}: ${losses.map((loss) => loss.toFixed(4)).join(' → ')} (${describe})`);
  if (!(losses.at(-1) < 0.7 * losses[0])) throw new Error(`${row}: the loss does not fall: ${losses}`);
}
await saveCheckpoint('here.ckpt', { losses: { stateDict: () => ({ kept: 3 }), loadStateDict: () => {} } });
const { losses } = await readCheckpoint('here.ckpt');
if (losses.kept !== 3) throw new Error('the checkpoint does not hold what was written');
