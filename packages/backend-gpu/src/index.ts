export { firstAvailable, type GpuBackend } from './first-available';
