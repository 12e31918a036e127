"""Many trainings together: DVC's queue, the leaderboard, the papers' ablation tables, and what params.yaml may say."""
