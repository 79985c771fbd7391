#include "network.hpp"

#include <ATen/Functions.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>

#include <stdexcept>
#include <string>

namespace training {

namespace {

class mlp final : public network {
 public:
  explicit mlp(std::int64_t classes)
      : hidden_(register_module("hidden", torch::nn::Linear(784, 128))),
        output_(register_module("output", torch::nn::Linear(128, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override {
    auto h = at::relu(hidden_(inputs));
    if (dropout > 0.0) h = at::dropout(h, dropout, is_training());
    return output_(h);
  }

 private:
  torch::nn::Linear hidden_, output_;
};

class cnn final : public network {
 public:
  explicit cnn(std::int64_t classes)
      : first_(register_module("first", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 8, 3).stride(2).padding(1)))),
        second_(register_module("second", torch::nn::Conv2d(torch::nn::Conv2dOptions(8, 16, 3).stride(2).padding(1)))),
        hidden_(register_module("hidden", torch::nn::Linear(16 * 7 * 7, 64))),
        output_(register_module("output", torch::nn::Linear(64, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override {
    auto h = at::relu(first_(inputs.view({-1, 1, 28, 28})));
    h = at::relu(second_(h));
    h = at::relu(hidden_(h.flatten(1)));
    if (dropout > 0.0) h = at::dropout(h, dropout, is_training());
    return output_(h);
  }

 private:
  torch::nn::Conv2d first_, second_;
  torch::nn::Linear hidden_, output_;
};

class gru final : public network {
 public:
  explicit gru(std::int64_t classes)
      : embedding_(register_module("embedding", torch::nn::Embedding(classes, 32))),
        recurrent_(register_module("recurrent", torch::nn::GRU(torch::nn::GRUOptions(32, 96).batch_first(true)))),
        output_(register_module("output", torch::nn::Linear(96, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override {
    auto h = std::get<0>(recurrent_(embedding_(inputs)));
    if (dropout > 0.0) h = at::dropout(h, dropout, is_training());
    return output_(h.flatten(0, 1));
  }

 private:
  torch::nn::Embedding embedding_;
  torch::nn::GRU recurrent_;
  torch::nn::Linear output_;
};

}  // namespace

std::shared_ptr<network> make_network(std::string_view kind, std::int64_t classes) {
  if (kind == "mlp") return std::make_shared<mlp>(classes);
  if (kind == "cnn") return std::make_shared<cnn>(classes);
  if (kind == "gru") return std::make_shared<gru>(classes);
  throw std::invalid_argument("There is no model " + std::string(kind) + ".");
}

}  // namespace training
