/*
 * Whether the tests have a GPU. Where there is none they are skipped, with a line that says so; DL_REQUIRE_GPU=1, as CI sets it, makes
 * that an error.
 */
import { createWebGpu } from '../src/webgpu/backend';

async function findAdapter(): Promise<boolean> {
  try {
    const backend = await createWebGpu();
    console.log(`WebGPU tests run on: ${backend.describe()}`);
    await backend.dispose();
    return true;
  } catch (error) {
    if (process.env['DL_REQUIRE_GPU'] === '1') throw error;
    console.log(`WebGPU tests are skipped: ${(error as Error).message}`);
    return false;
  }
}

export const hasAdapter = await findAdapter();
