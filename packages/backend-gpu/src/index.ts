export { firstAvailable, type GpuBackend } from './first-available';
export { type GpuJsBackend, type GpuJsMode, type GpuJsOptions, gpujs } from './gpujs';
export { type WebGpuOptions, webgpu } from './webgpu/backend';
