export type { GpuJsBackend } from './backend';
export { type GpuJsOptions, gpujs } from './gpujs';
export type { GpuJsMode } from './mode';
