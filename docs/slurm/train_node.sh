#!/usr/bin/env bash
# One node's part of a training over several nodes; machine.yaml starts it on each (docs/gpu.md):
#   training: {launcher: srun --overlap --kill-on-bad-exit --nodes 4 --ntasks-per-node 1 docs/slurm/train_node.sh {job}}
# usage: train_node.sh JOB [CONFIG]        GPUS_PER_NODE=8, MASTER_PORT=29500
set -euo pipefail
job=${1:?give the folder of the job} config=${2:-pipeline/training/launchers/zero3.yaml} gpus=${GPUS_PER_NODE:-8}
exec accelerate launch --config_file "$config" --num_machines "$SLURM_NNODES" --machine_rank "$SLURM_NODEID" \
    --num_processes "$((SLURM_NNODES * gpus))" --main_process_ip "${MASTER_ADDR:?the first node}" \
    --main_process_port "${MASTER_PORT:-29500}" -m pipeline.training.worker "$job"
