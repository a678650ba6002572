export { firstAvailable, type GpuBackend } from './first-available';
export { type WebGpuOptions, webgpu } from './webgpu/backend';
