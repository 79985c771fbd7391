"""One Optuna study on the unit cube, driven through standard input and output.

    python3 optuna_search.py SAMPLER DIMENSIONS SEED

Input: a line `N`, N lines `y x1 .. xd` that are known already, then a line for each answer. Output: a line `t x1 .. xd`
for each point to measure, t the microseconds of CPU that it took to tell the last answer and to ask for this point.
"""
import os
import sys
import time
import warnings

# Libraries that greet on standard output would be taken for answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import optuna  # noqa: E402

sampler, dimensions, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
if sampler == "GP":
    import torch

    torch.set_num_threads(1)

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
    try:
        print(1e6 * spent, *(repr(value) for value in x), file=answers, flush=True)
    except BrokenPipeError:  # nobody wants to know any more
        os._exit(0)
    answer = sys.stdin.readline()
    if not answer:
        break
    began = time.process_time()
    study.tell(trial, float(answer))
    spent = time.process_time() - began
