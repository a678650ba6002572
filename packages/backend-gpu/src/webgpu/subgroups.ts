/*
 * How many neighbouring threads of a workgroup can exchange values directly. A device says the least size of its subgroups, but WGSL
 * leaves open which threads make one. On all devices known they are neighbours; whether they are on this one is tried when the
 * backend starts.
 */
import { usage } from './usage';

const size = 256;

const source = (lanes: number): string => {
  const halves = Array.from({ length: Math.log2(lanes) }, (_, i) => 2 ** i);
  return `enable subgroups;
@group(0) @binding(0) var<storage, read_write> failures: array<u32>;
@compute @workgroup_size(${size})
fn main(@builtin(local_invocation_index) thread: u32) {
${halves.map((half) => `let from_${half} = subgroupShuffleXor(thread, ${half}u);`).join('\n')}
failures[thread] = select(1u, 0u, ${halves.map((half) => `from_${half} == (thread ^ ${half}u)`).join(' && ')});
}`;
};

/**
 * A power of two, 1 where threads cannot exchange values.
 *
 * @param leastSize - of the device's subgroups
 */
export async function exchangingThreads(device: GPUDevice, leastSize: number | undefined): Promise<number> {
  if (!device.features.has('subgroups') || leastSize === undefined) return 1;
  const lanes = Math.min(leastSize, size / 2);
  if (lanes < 2 || !Number.isInteger(Math.log2(lanes))) return 1;
  const module = device.createShaderModule({ code: source(lanes) });
  const descriptor = { layout: 'auto', compute: { module, entryPoint: 'main' } } as const;
  const pipeline = await device.createComputePipelineAsync(descriptor).catch(() => null);
  if (!pipeline) return 1; // offered, but refused: everything works without
  const failures = device.createBuffer({ size: size * 4, usage: usage.storage | usage.copySource });
  const staging = device.createBuffer({ size: size * 4, usage: usage.mapRead | usage.copyTarget });
  const entries = [{ binding: 0, resource: { buffer: failures } }];
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.copyBufferToBuffer(failures, 0, staging, 0, size * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const areNeighbours = new Uint32Array(staging.getMappedRange()).every((failed) => failed === 0);
  failures.destroy();
  staging.destroy();
  return areNeighbours ? lanes : 1;
}
