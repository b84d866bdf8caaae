#!/bin/bash
# A sweep as a Slurm job array: each task is a share.
#
#   job=$(sbatch --parsable --array=1-8 slurm_sweep.sh sweep.toml)
#   sbatch --dependency=afterok:$job --wrap 'dtatrans merge merged.csv sweep.*-of-8.csv'
#
# A task that is requeued, after its node failed or its time was over, goes on from the rows
# that it had.
#SBATCH --job-name=dtatrans-sweep
#SBATCH --cpus-per-task=1
#SBATCH --requeue
#SBATCH --open-mode=append
set -eu
sweep=$1
share=$SLURM_ARRAY_TASK_ID of=$SLURM_ARRAY_TASK_COUNT
exec "${DTATRANS:-dtatrans}" sweep "$sweep" --shard "$share/$of" \
    --out "${sweep%.toml}.$share-of-$of.csv" --threads "$SLURM_CPUS_PER_TASK"
