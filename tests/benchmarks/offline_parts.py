"""The part of the benchmark on offline reinforcement learning."""

from part import Part, job
from tables import Column

OFFLINE_RL = Part(
    "Offline RL where data cover little: pessimism beside fitted Q",
    "Total reward of the greedy policy, mean over ten problems ± standard deviation; exact for the "
    "finite problems, rollouts for the pole. Goals: PFQL at least fitted Q in 8 of 10 problems of "
    "tabular, and an estimate no higher than the policy's true value in 95 % of starts. Fixed, by "
    "hand on other problems: one λ for all. Tuned: each method on ten other problems. A large λ "
    "alone draws values of what is rare to 0, the lowest there is. VAFQL spends half of the data "
    "on variances.",
    (
        Column("problem", "problem"),
        Column("network", "value function"),
        Column("numbers", "λ and β"),
        Column("method", "method"),
        Column("regularisation", "λ", "g"),
        Column("beta", "β", "g"),
        Column("value", "policy value", ".3f"),
        Column("deviation", "±", ".3f"),
        Column("best", "best possible", ".3f"),
        Column("at_least", "≥ fitted Q"),
        Column("above", "> fitted Q"),
        Column("kept", "estimate ≤ truth", ".1%"),
    ),
    (
        job("offline_rl", problem="tabular"),
        job("offline_rl", problem="linear_mdp"),
        job("offline_rl", problem="tabular", network="mlp:8"),
        job("offline_rl", problem="cartpole", episodes=80),
        job("offline_rl", problem="cartpole", network="mlp:8", episodes=80),
    ),
    (job("offline_rl", problem="tabular", episodes=20, seeds=2),),
)
