#include "record.hpp"

#include <cmath>
#include <format>
#include <nlohmann/json.hpp>

namespace training {

namespace {

using json = nlohmann::ordered_json;

double number(json const& value) { return value.is_null() ? unknown : value.get<double>(); }
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

json to_json(measurement const& m) {
  return {{"epoch", m.epoch},
          {"step", m.step},
          {"val_loss", number(m.val_loss)},
          {"val_accuracy", number(m.val_accuracy)},
          {"train_loss", number(m.train_loss)},
          {"lr", number(m.lr)}};
}

measurement measurement_from(json const& value) {
  return {.epoch = value.at("epoch").get<double>(),
          .step = value.at("step").get<std::size_t>(),
          .val_loss = number(value.at("val_loss")),
          .val_accuracy = number(value.at("val_accuracy")),
          .train_loss = number(value.at("train_loss")),
          .lr = number(value.at("lr"))};
}

}  // namespace

std::string job::key() const {
  return std::format("{}|{}|{}|{}|{:.6g}|{}", problem, regime, method, optimizer, start_lr, seed);
}

std::string to_json(record const& run) {
  json history = json::array();
  for (auto const& m : run.history) history.push_back(to_json(m));
  return json{{"problem", run.what.problem},
              {"regime", run.what.regime},
              {"method", run.what.method},
              {"optimizer", run.what.optimizer},
              {"start_lr", run.what.start_lr},
              {"seed", run.what.seed},
              {"final_val_loss", number(run.final_val_loss)},
              {"best_val_loss", number(run.best_val_loss)},
              {"test_accuracy", number(run.test_accuracy)},
              {"diverged", run.diverged},
              {"rollbacks", run.rollbacks},
              {"restarts", run.restarts},
              {"extra_work_fraction", run.extra_work_fraction},
              {"overfitted_fraction", run.overfitted_fraction},
              {"controller_seconds", run.controller_seconds},
              {"wall_seconds", run.wall_seconds},
              {"history", std::move(history)}}
      .dump();
}

record from_json(std::string const& line) {
  json const value = json::parse(line);
  record run{.what = {.problem = value.at("problem").get<std::string>(),
                      .regime = value.at("regime").get<std::string>(),
                      .method = value.at("method").get<std::string>(),
                      .optimizer = value.at("optimizer").get<std::string>(),
                      .start_lr = value.at("start_lr").get<double>(),
                      .seed = value.at("seed").get<std::uint64_t>()},
             .final_val_loss = number(value.at("final_val_loss")),
             .best_val_loss = number(value.at("best_val_loss")),
             .test_accuracy = number(value.at("test_accuracy")),
             .diverged = value.at("diverged").get<bool>(),
             .rollbacks = value.at("rollbacks").get<std::size_t>(),
             .restarts = value.at("restarts").get<std::size_t>(),
             .extra_work_fraction = value.at("extra_work_fraction").get<double>(),
             .overfitted_fraction = value.value("overfitted_fraction", 0.0),
             .controller_seconds = value.at("controller_seconds").get<double>(),
             .wall_seconds = value.at("wall_seconds").get<double>()};
  for (auto const& m : value.at("history")) run.history.push_back(measurement_from(m));
  return run;
}

}  // namespace training
