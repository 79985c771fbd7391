#include "network.hpp"

#include <ATen/Functions.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/rnn.h>
#include <torch/nn/modules/transformer.h>
#include <torch/nn/modules/transformercoder.h>
#include <torch/nn/modules/transformerlayer.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace training {

namespace {

class mlp : public network {
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

class squared_error final : public mlp {
 public:
  using mlp::mlp;

  at::Tensor loss(at::Tensor const& outputs, at::Tensor const& targets) const override {
    return at::mse_loss(outputs, at::one_hot(targets, outputs.size(1)).to(outputs.dtype()));
  }
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

class linear final : public network {
 public:
  explicit linear(std::int64_t classes) : output_(register_module("output", torch::nn::Linear(784, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override { return output_(inputs); }

 private:
  torch::nn::Linear output_;
};

class normalised final : public network {
 public:
  explicit normalised(std::int64_t classes)
      : hidden_(register_module("hidden", torch::nn::Linear(784, 128))),
        norm_(register_module("norm", torch::nn::BatchNorm1d(128))),
        output_(register_module("output", torch::nn::Linear(128, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override { return output_(at::relu(norm_(hidden_(inputs)))); }

 private:
  torch::nn::Linear hidden_;
  torch::nn::BatchNorm1d norm_;
  torch::nn::Linear output_;
};

// Saturates: what a rate that is too high has done to it, a low one does not mend.
class deep_tanh final : public network {
 public:
  explicit deep_tanh(std::int64_t classes) {
    for (std::int64_t layer = 0; layer < 5; ++layer)
      hidden_.push_back(
          register_module("hidden" + std::to_string(layer), torch::nn::Linear(layer == 0 ? 784 : 100, 100)));
    output_ = register_module("output", torch::nn::Linear(100, classes));
  }

  at::Tensor forward(at::Tensor const& inputs) override {
    auto h = inputs;
    for (auto& layer : hidden_) h = at::tanh(layer(h));
    return output_(h);
  }

 private:
  std::vector<torch::nn::Linear> hidden_;
  torch::nn::Linear output_{nullptr};
};

class transformer final : public network {
 public:
  explicit transformer(std::int64_t classes)
      : embedding_(register_module("embedding", torch::nn::Embedding(classes, width))),
        position_(register_module("position", torch::nn::Embedding(most_characters, width))),
        layers_(register_module(
            "layers",
            torch::nn::TransformerEncoder(torch::nn::TransformerEncoderOptions(
                torch::nn::TransformerEncoderLayer(
                    torch::nn::TransformerEncoderLayerOptions(width, 4).dim_feedforward(2 * width).dropout(0.0)),
                2)))),
        output_(register_module("output", torch::nn::Linear(width, classes))) {}

  at::Tensor forward(at::Tensor const& inputs) override {
    auto const length = inputs.size(1);
    auto h = embedding_(inputs) + position_(at::arange(length, at::kLong));
    auto const mask = torch::nn::TransformerImpl::generate_square_subsequent_mask(length);
    h = layers_(h.transpose(0, 1), mask).transpose(0, 1);
    return output_(h.flatten(0, 1));
  }

 private:
  static constexpr std::int64_t width = 64, most_characters = 64;
  torch::nn::Embedding embedding_, position_;
  torch::nn::TransformerEncoder layers_;
  torch::nn::Linear output_;
};

}  // namespace

at::Tensor network::loss(at::Tensor const& logits, at::Tensor const& targets) const {
  return at::cross_entropy_loss(logits, targets);
}

std::shared_ptr<network> make_network(std::string_view kind, std::int64_t classes) {
  if (kind == "mlp") return std::make_shared<mlp>(classes);
  if (kind == "cnn") return std::make_shared<cnn>(classes);
  if (kind == "gru") return std::make_shared<gru>(classes);
  if (kind == "linear") return std::make_shared<linear>(classes);
  if (kind == "batch_norm") return std::make_shared<normalised>(classes);
  if (kind == "deep_tanh") return std::make_shared<deep_tanh>(classes);
  if (kind == "squared_error") return std::make_shared<squared_error>(classes);
  if (kind == "transformer") return std::make_shared<transformer>(classes);
  throw std::invalid_argument("There is no model " + std::string(kind) + ".");
}

}  // namespace training
