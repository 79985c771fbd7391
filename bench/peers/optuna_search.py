"""One Optuna study on the unit cube, driven through standard input and output.

    python3 optuna_search.py SAMPLER DIMENSIONS SEED

Input: a line `N`, N lines `y x1 .. xd` that are known already, then a line for each answer. Output: a line `t x1 .. xd`
for each point to measure, t the microseconds of CPU that it took to tell the last answer and to ask for this point.
"""
import sys
import time
import warnings

import optuna

sampler, dimensions, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
try:
    import torch

    torch.set_num_threads(1)
except ImportError:
    pass

made = {
    "TPE": lambda: optuna.samplers.TPESampler(seed=seed),
    "GP": lambda: optuna.samplers.GPSampler(seed=seed),
    "CMA-ES": lambda: optuna.samplers.CmaEsSampler(seed=seed),
}[sampler]()
names = [f"x{i}" for i in range(dimensions)]
space = {name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names}
study = optuna.create_study(sampler=made)
for _ in range(int(sys.stdin.readline())):
    y, *x = map(float, sys.stdin.readline().split())
    study.add_trial(optuna.trial.create_trial(params=dict(zip(names, x)), distributions=space, value=y))

spent = 0.0
while True:
    began = time.process_time()
    trial = study.ask(space)
    x = [trial.params[name] for name in names]
    spent += time.process_time() - began
    print(1e6 * spent, *(repr(value) for value in x), flush=True)
    answer = sys.stdin.readline()
    if not answer:
        break
    began = time.process_time()
    study.tell(trial, float(answer))
    spent = time.process_time() - began
